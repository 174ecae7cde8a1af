package alone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/wrk"
)

// The sizes with which the cache holds every list of every snapshot as part of the
// warm set. Lists that exceed the warm set's share are stored on the shelves.
const roomyCache, roomyLimit = "200MiB", "286MiB"

// StandardMemory measures the memory under load with the warm set, and with more
// entries than CACHE_BYTES holds.
func StandardMemory(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.Stop()
	snapshots, err := ask.SnapshotLists(ctx)
	if err != nil {
		return err
	}
	warmSet := slices.Concat(ask.LiveLists(0), snapshots[:28])
	most, err := underLoad(ctx, l, p, warmSet)
	if err != nil {
		return err
	}
	l.Reports.Add(report.Row{Name: "memory with the warm set under full load, most", Most: true, Bound: 150, Unit: "MB", Value: most / report.MB,
		Ours: fmt.Sprintf("%d lists asked for", len(warmSet))})

	if err := ask.FillAll(ctx, snapshots); err != nil {
		return err
	}
	s, err := ask.ReadStats(ctx)
	if err != nil {
		return err
	}
	_, ever, err := p.Resident()
	if err != nil {
		return err
	}
	l.Reports.Add(
		report.Row{Name: "cache after all lists of all snapshots, of CACHE_BYTES (64MiB)", Most: true, Bound: 1.1,
			Ours: report.Megabytes(float64(s.Cache.Bytes)), Other: report.Megabytes(float64(s.Cache.Budget)), Value: float64(s.Cache.Bytes) / float64(s.Cache.Budget)},
		report.Row{Name: "the most memory until then, of MEMORY_LIMIT (150MiB)", Most: true, Bound: 1.1,
			Ours: report.Megabytes(float64(ever)), Other: report.Megabytes(150 << 20), Value: float64(ever) / (150 << 20)})
	return nil
}

// underLoad returns a server's peak memory in bytes while many clients request
// targets.
func underLoad(ctx context.Context, l *lab.Lab, s *machine.Service, targets []string) (most float64, err error) {
	script, err := l.Script(targets)
	if err != nil {
		return 0, err
	}
	length := l.Length(time.Minute)
	ended := make(chan error, 1)
	go func() {
		done, err := wrk.Run(ctx, wrk.Load{URL: "http://" + ask.ProxyAddr, Headers: []string{ask.AsGzip}, Connections: 200, Length: length, Script: script})
		if err == nil && done.Failed > 0 {
			err = fmt.Errorf("%d of %d requests failed", done.Failed, done.Requests)
		}
		ended <- err
	}()
	for {
		select {
		case err := <-ended:
			return most, err
		case <-time.After(50 * time.Millisecond):
		}
		now, _, err := s.Resident()
		if err != nil {
			return 0, err
		}
		most = max(most, float64(now))
	}
}

// RoomyMemory adds all lists of all snapshots to the warm set, as xcri-proxy warm
// does with the targets of a log, and then requests each list, which must be a hit.
func RoomyMemory(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, "", "CACHE_BYTES="+roomyCache, "MEMORY_LIMIT="+roomyLimit)
	if err != nil {
		return err
	}
	defer p.Stop()
	targets, err := ask.SnapshotLists(ctx)
	if err != nil {
		return err
	}
	if err := warmAlso(ctx, targets); err != nil {
		return err
	}
	if err := p.Await(ctx, func() bool { return lab.Settled(ctx, ask.ProxyAddr) }); err != nil {
		return err
	}
	before, err := ask.ReadStats(ctx)
	if err != nil {
		return err
	}
	targets = append(targets, ask.LiveLists(0)...)
	most, err := underLoad(ctx, l, p, targets)
	if err != nil {
		return err
	}
	after, err := ask.ReadStats(ctx)
	if err != nil {
		return err
	}
	held := int64(len(targets)) - (after.Cache.Fills - before.Cache.Fills)
	files, err := p.Files()
	if err != nil {
		return err
	}
	l.Reports.Add(report.Row{Name: "bodies from 256 KB with them, which exist once, in memory files: to the bytes that cache and stats count", Most: true, Bound: 1,
		Ours: report.Megabytes(float64(files)), Other: report.Megabytes(float64(after.Memory.FileBytes)), Value: float64(files) / float64(after.Memory.FileBytes)})
	l.Reports.Add(
		report.Row{Name: "every list of all 13 snapshots and the live lists, held (CACHE_BYTES=" + roomyCache + ")", Bound: float64(len(targets)), Unit: "lists",
			Ours: report.Megabytes(float64(after.Cache.Bytes)), Value: float64(held)},
		report.Row{Name: "memory with them under full load, most (MEMORY_LIMIT=" + roomyLimit + ")", Most: true, Bound: 300, Unit: "MB", Value: most / report.MB})
	return nil
}

// warmAlso adds targets to the warm set and waits until they are published.
func warmAlso(ctx context.Context, targets []string) error {
	body, err := json.Marshal(map[string]any{"paths": targets})
	if err != nil {
		return err
	}
	before, err := ask.ReadStats(ctx)
	if err != nil {
		return err
	}
	resp, err := ask.Plain.Post("http://"+ask.ProxyAddr+"/cache/warm", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return errors.New("/cache/warm: " + resp.Status)
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		s, err := ask.ReadStats(ctx)
		if err != nil {
			return err
		}
		if w := s.Generation.Warm; w.Looked > before.Generation.Warm.Looked && !w.Warming {
			return nil
		}
	}
	return errors.New("the lists of all snapshots are not published after two minutes")
}
