package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const mb = 1e6

// The sizes with which the cache holds every list of every snapshot as part of the
// warm set. Lists that exceed the warm set's share are stored on the shelves.
const roomyCache, roomyLimit = "200MiB", "286MiB"

// memoryRows measures the proxy's memory under load: with the warm set, with more
// entries than CACHE_BYTES holds, and with all lists of all snapshots.
func memoryRows(ctx context.Context, l *lab) error {
	if err := l.standardMemory(ctx); err != nil {
		return err
	}
	return l.roomyMemory(ctx)
}

func (l *lab) standardMemory(ctx context.Context) error {
	p, err := l.startProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.stop()
	snapshots, err := snapshotLists(ctx)
	if err != nil {
		return err
	}
	warmSet := slices.Concat(liveLists(0), snapshots[:28])
	most, err := l.underLoad(ctx, p, warmSet)
	if err != nil {
		return err
	}
	l.reports.add(row{what: "memory with the warm set under full load, most", most: true, bound: 150, unit: "MB", value: most / mb,
		ours: fmt.Sprintf("%d lists asked for", len(warmSet))})

	if err := fillAll(ctx, snapshots); err != nil {
		return err
	}
	s, err := readStats(ctx)
	if err != nil {
		return err
	}
	_, ever, err := p.resident()
	if err != nil {
		return err
	}
	l.reports.add(
		row{what: "cache after all lists of all snapshots, of CACHE_BYTES (64MiB)", most: true, bound: 1.1,
			ours: megabytes(float64(s.Cache.Bytes)), other: megabytes(float64(s.Cache.Budget)), value: float64(s.Cache.Bytes) / float64(s.Cache.Budget)},
		row{what: "the most memory until then, of MEMORY_LIMIT (150MiB)", most: true, bound: 1.1,
			ours: megabytes(float64(ever)), other: megabytes(150 << 20), value: float64(ever) / (150 << 20)})
	return nil
}

// underLoad returns a server's peak memory in bytes while many clients request
// targets.
func (l *lab) underLoad(ctx context.Context, s *service, targets []string) (most float64, err error) {
	script, err := l.script(targets)
	if err != nil {
		return 0, err
	}
	length := time.Minute
	if l.short {
		length = 10 * time.Second
	}
	ended := make(chan error, 1)
	go func() {
		done, err := wrk(ctx, load{url: "http://" + proxyAddr, headers: []string{asGzip}, connections: 200, length: length, script: script})
		if err == nil && done.failed > 0 {
			err = fmt.Errorf("%d of %d requests failed", done.failed, done.requests)
		}
		ended <- err
	}()
	for {
		select {
		case err := <-ended:
			return most, err
		case <-time.After(50 * time.Millisecond):
		}
		now, _, err := s.resident()
		if err != nil {
			return 0, err
		}
		most = max(most, float64(now))
	}
}

// roomyMemory adds all lists of all snapshots to the warm set, as xcri-proxy warm
// does with the targets of a log, and then requests each list, which must be a hit.
func (l *lab) roomyMemory(ctx context.Context) error {
	p, err := l.startProxy(ctx, "", "CACHE_BYTES="+roomyCache, "MEMORY_LIMIT="+roomyLimit)
	if err != nil {
		return err
	}
	defer p.stop()
	targets, err := snapshotLists(ctx)
	if err != nil {
		return err
	}
	if err := warmAlso(ctx, targets); err != nil {
		return err
	}
	if err := p.await(ctx, func() bool { return settled(ctx) }); err != nil {
		return err
	}
	before, err := readStats(ctx)
	if err != nil {
		return err
	}
	targets = append(targets, liveLists(0)...)
	most, err := l.underLoad(ctx, p, targets)
	if err != nil {
		return err
	}
	after, err := readStats(ctx)
	if err != nil {
		return err
	}
	held := int64(len(targets)) - (after.Cache.Fills - before.Cache.Fills)
	l.reports.add(
		row{what: "every list of all 13 snapshots and the live ones, held (CACHE_BYTES=" + roomyCache + ")", bound: float64(len(targets)), unit: "lists",
			ours: megabytes(float64(after.Cache.Bytes)), value: float64(held)},
		row{what: "memory with them under full load, most (MEMORY_LIMIT=" + roomyLimit + ")", most: true, bound: 300, unit: "MB", value: most / mb})
	return nil
}

// warmAlso adds targets to the warm set and waits until they are published.
func warmAlso(ctx context.Context, targets []string) error {
	body, err := json.Marshal(map[string]any{"paths": targets})
	if err != nil {
		return err
	}
	before, err := readStats(ctx)
	if err != nil {
		return err
	}
	resp, err := plain.Post("http://"+proxyAddr+"/cache/warm", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return errors.New("/cache/warm: " + resp.Status)
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		s, err := readStats(ctx)
		if err != nil {
			return err
		}
		if w := s.Generation.Warm; w.Looked > before.Generation.Warm.Looked && !w.Warming {
			return nil
		}
	}
	return errors.New("the lists of all snapshots are not published after two minutes")
}

func megabytes(bytes float64) string { return fmt.Sprintf("%.1f MB", bytes/mb) }
