package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest/importer"
)

// warm measures the time to load the warm set at the start, with four connections to
// the database.
func warm(ctx context.Context, l *lab) error {
	var took []float64
	most, filled := int64(0), 0
	for range 5 {
		if err := l.sql(ctx, "FLUSH STATUS"); err != nil {
			return err
		}
		p, err := l.startProxy(ctx, "", "DATABASE_MAX_CONNS=4")
		if err != nil {
			return err
		}
		s, err := readStats(ctx)
		p.stop()
		if err != nil {
			return err
		}
		connections, err := l.connections(ctx)
		if err != nil {
			return err
		}
		took, filled, most = append(took, s.Generation.Warm.Seconds), s.Generation.Warm.Filled, max(most, connections)
	}
	l.reports.add(
		row{what: fmt.Sprintf("warm set at the start, %d answers, median of 5", filled), most: true, bound: 3, unit: "s",
			ours: fmt.Sprintf("%.2f s", median(took)), value: median(took)},
		row{what: "connections to the database meanwhile", most: true, bound: 4, unit: "connections", value: float64(most)})
	return nil
}

// connections returns the peak of concurrent connections since FLUSH STATUS, without
// this program's own connection.
func (l *lab) connections(ctx context.Context) (int64, error) {
	most, err := l.status(ctx, "MAX_USED_CONNECTIONS")
	return most - 1, err // one is this program's
}

// imports measures the time from the commit of an import until its data is published,
// for one division's men and for all divisions one after the other.
func imports(ctx context.Context, l *lab) error {
	p, err := l.startProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.stop()
	var all []importer.Scope
	for _, division := range divisions {
		for _, gender := range genders {
			all = append(all, importer.Scope{Season: 2025, Division: division, Gender: gender})
		}
	}
	version := 0
	for _, of := range []struct {
		what   string
		scopes []importer.Scope
	}{{"one division and gender", all[:1]}, {"all 14, one after the other", all}} {
		var took []float64
		for range l.repeats() {
			for _, s := range of.scopes {
				version++
				if err := importer.Import(ctx, l.root, s, version, importer.Options{}); err != nil {
					return err
				}
			}
			committed := time.Now()
			if err := awaitPublish(ctx, version); err != nil {
				return err
			}
			took = append(took, time.Since(committed).Seconds())
		}
		l.reports.add(row{what: "import of " + of.what + ": from the commit to the publish, median", most: true, bound: 5, unit: "s",
			ours: fmt.Sprintf("%.2f s", median(took)), other: fmt.Sprintf("longest %.2f s", slices.Max(took)), value: median(took)})
	}
	return nil
}

// awaitPublish polls until the calculation with a version is published.
func awaitPublish(ctx context.Context, version int) error {
	want := importer.At(version).Format("2006-01-02T15:04:05")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		s, err := readStats(ctx)
		warm := s.Generation.Warm
		switch {
		case err != nil:
			return err
		case warm.Calculated == want && !warm.Warming && warm.Failed > 0:
			return fmt.Errorf("version %d is published without %d answers", version, warm.Failed)
		case warm.Calculated == want && !warm.Warming:
			return nil
		}
	}
	return fmt.Errorf("version %d is not published", version)
}
