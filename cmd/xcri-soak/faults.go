package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-soak/internal/people"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// faults are the kinds of faults. Each takes about the given time.
var faults = []struct {
	name string
	make func(*lab, context.Context, time.Duration) error
}{
	{"connections killed", (*lab).killConnections},
	{"statements killed", (*lab).killStatements},
	{"network: connections reset", func(l *lab, ctx context.Context, d time.Duration) error { l.relay.Cut(); return nil }},
	{"network: connections reset in answers", (*lab).resetInAnswers},
	{"network: connections silent", func(l *lab, ctx context.Context, d time.Duration) error { l.relay.Freeze(); return nil }},
	{"network: new connections silent", (*lab).silence},
	{"database hangs", (*lab).hang},
	{"database killed", (*lab).killDatabase},
	{"table locked", (*lab).lock},
	{"old API is slow", (*lab).oldSlow},
	{"old API fails", (*lab).oldFails},
	{"both fail", (*lab).bothFail},
	{"disk full", (*lab).diskFull},
	{"soft purge", func(l *lab, ctx context.Context, _ time.Duration) error { return l.purge(ctx, false) }},
	{"hard purge", func(l *lab, ctx context.Context, _ time.Duration) error { return l.purge(ctx, true) }},
	{"proxy restarted", func(l *lab, ctx context.Context, _ time.Duration) error { return l.restart(ctx, syscall.SIGTERM, true) }},
	{"proxy restarted, socket its own", func(l *lab, ctx context.Context, _ time.Duration) error {
		return l.restart(ctx, syscall.SIGTERM, false)
	}},
	{"proxy hands over", (*lab).handOver},
	{"proxy hands over while the database hangs", (*lab).handOverInOutage},
	{"proxy killed", func(l *lab, ctx context.Context, _ time.Duration) error { return l.restart(ctx, syscall.SIGKILL, true) }},
}

// readers returns the IDs of the proxy's connections to the database.
func (l *lab) readers(ctx context.Context) (ids []int64) {
	rows, err := l.root.QueryContext(ctx, "SELECT id FROM information_schema.processlist WHERE user = ?", mariadb.Reader)
	if err != nil {
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if rows.Scan(&id) == nil {
			ids = append(ids, id)
		}
	}
	if rows.Err() != nil {
		return nil
	}
	return ids
}

func (l *lab) killConnections(ctx context.Context, _ time.Duration) error {
	for _, id := range l.readers(ctx) {
		if l.rand.IntN(2) == 0 {
			l.root.ExecContext(ctx, fmt.Sprint("KILL CONNECTION ", id)) // an error means that it is gone
		}
	}
	return nil
}

func (l *lab) killStatements(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end) && people.Sleep(ctx, 20*time.Millisecond); {
		for _, id := range l.readers(ctx) {
			l.root.ExecContext(ctx, fmt.Sprint("KILL QUERY ", id))
		}
	}
	return nil
}

func (l *lab) resetInAnswers(ctx context.Context, d time.Duration) error {
	l.relay.CutAfter(int64(1 + l.rand.IntN(100_000)))
	people.Sleep(ctx, d)
	l.relay.CutAfter(0)
	return nil
}

func (l *lab) silence(ctx context.Context, d time.Duration) error {
	l.relay.Silence(true)
	l.relay.Cut()
	people.Sleep(ctx, d)
	l.relay.Silence(false)
	l.relay.Cut()
	return nil
}

func (l *lab) hang(ctx context.Context, d time.Duration) error {
	if err := l.real.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	people.Sleep(ctx, d)
	return l.real.Signal(syscall.SIGCONT)
}

func (l *lab) killDatabase(ctx context.Context, d time.Duration) error {
	l.real.Kill()
	people.Sleep(ctx, d)
	return l.real.Run()
}

func (l *lab) lock(ctx context.Context, d time.Duration) error {
	conn, err := l.root.Conn(ctx)
	if err != nil {
		return nil // it fails already
	}
	defer conn.Close()
	tables := readapi.Tables()
	if _, err := conn.ExecContext(ctx, "LOCK TABLES "+tables[l.rand.IntN(len(tables))]+" WRITE"); err == nil {
		people.Sleep(ctx, d)
	}
	conn.ExecContext(context.Background(), "UNLOCK TABLES")
	return nil
}

func (l *lab) oldSlow(ctx context.Context, d time.Duration) error {
	l.old.SetDelay(time.Duration(l.rand.IntN(3000)) * time.Millisecond)
	people.Sleep(ctx, d)
	l.old.Behave()
	return nil
}

func (l *lab) oldFails(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end) && people.Sleep(ctx, 100*time.Millisecond); {
		l.old.Next(2, oldapi.Fault(1+l.rand.IntN(int(oldapi.Faults)-1)))
	}
	l.old.Behave()
	return nil
}

func (l *lab) bothFail(ctx context.Context, d time.Duration) error {
	var old error
	var both sync.WaitGroup
	both.Go(func() { old = l.oldFails(ctx, d) })
	err := l.silence(ctx, d)
	both.Wait()
	return errors.Join(err, old)
}

// diskFull fills the file system of the proxy's files.
func (l *lab) diskFull(ctx context.Context, d time.Duration) error {
	if !l.ownDisk {
		return nil
	}
	ballast := filepath.Join(l.files, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		return err
	}
	defer os.Remove(ballast)
	defer f.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	people.Sleep(ctx, d)
	return nil
}

func (l *lab) purge(ctx context.Context, hard bool) error {
	begun := time.Now()
	if hard {
		l.visitors.Dropped()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+l.proxies.addr+"/cache/purge", strings.NewReader(fmt.Sprintf(`{"all":true,"hard":%v}`, hard)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("/cache/purge: " + resp.Status)
	}
	if hard {
		l.truth.record.Purged(begun)
		l.visitors.Dropped() // entries that were loaded meanwhile may be dropped, too
	}
	return nil
}

// restart is not interrupted by the end of the run, which would leave a process that
// has just begun.
func (l *lab) restart(ctx context.Context, signal syscall.Signal, supervised bool) error {
	ctx = context.WithoutCancel(ctx)
	l.truth.record.Restarted()
	err := l.proxies.restart(ctx, signal, supervised)
	l.truth.record.Restarted()
	return err
}

// handOver needs a proxy with a socket of its own. The end of the run does not interrupt
// it: see restart.
func (l *lab) handOver(ctx context.Context, _ time.Duration) error {
	ctx = context.WithoutCancel(ctx)
	if l.proxies.supervised {
		if err := l.restart(ctx, syscall.SIGTERM, false); err != nil {
			return err
		}
		people.Sleep(ctx, time.Second)
	}
	ok, err := l.published.during(func() (bool, error) { return l.proxies.handOver(ctx) })
	if err == nil && !ok {
		l.count.Add("hand-overs that failed")
	}
	return err
}

func (l *lab) handOverInOutage(ctx context.Context, d time.Duration) (err error) {
	var outage sync.WaitGroup
	outage.Go(func() { l.hang(ctx, d) })
	err = l.handOver(ctx, d)
	outage.Wait()
	return err
}

// duration returns a random duration of a fault, most of them short.
func duration(r *rand.Rand, longest time.Duration) time.Duration {
	x := r.Float64()
	return time.Duration(x * x * float64(longest))
}
