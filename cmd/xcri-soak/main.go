// Command xcri-soak runs the proxy for a long time between visitors, a database, the old
// API, and faults of all of them, and judges every answer: its bytes must come from a
// committed state of the database that was current at the time, or as old as the cache
// may be (see package judge).
//
//	go run ./cmd/xcri-soak --for 1h
//
// It starts two MariaDB servers (one is the twin that no fault reaches), the proxy of
// this checkout with SOURCE=auto, and the old API's stand-in. At random, from a seed, it
// imports and mends rows, kills, freezes and resets connections, stops and kills
// servers, fills the disk, restarts the proxy in all ways, and floods it with
// connections, searches, slow readers and oversized heads, while visitors request hot
// and cold pages. It exits with 1 if an answer is wrong, older than a publish that the
// proxy has reported, or fresh long after a change, if a request for a cached page
// fails, or if the memory exceeds its limit. It runs on Linux; without root the disk
// does not become full.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-soak/internal/people"
)

// memoryLimit is the MEMORY_LIMIT of the proxy: its default.
const memoryLimit = 150 << 20

// settings configure a run.
type settings struct {
	length  time.Duration
	seed    uint64
	out     string // folder for logs and wrong bodies
	clients int    // visitors

	questions int           // the number of recorded requests that visitors repeat; zero means all
	late      time.Duration // see judge.New
	paces
	env   []string // more settings of the proxy
	begun time.Time
}

// paces are the times between events of a run.
type paces struct {
	pause       time.Duration // the mean time between two requests of a visitor
	changePause time.Duration // the mean time between two changes
	longest     time.Duration // of a fault
	faultPause  time.Duration // the longest time between two faults
	attackTime  time.Duration
	calm        time.Duration // the time between two storms
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := settings{late: 90 * time.Second, paces: paces{pause: 60 * time.Millisecond, changePause: 3 * time.Second, longest: 9 * time.Second, faultPause: 5 * time.Second, attackTime: 8 * time.Second, calm: 2 * time.Minute}}
	flag.DurationVar(&s.length, "for", time.Hour, "length of the run")
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "seed of everything random")
	flag.StringVar(&s.out, "out", "", "folder for the logs and for wrong bodies; empty for a new temporary one")
	flag.IntVar(&s.clients, "clients", 8, "number of visitors")
	flag.Parse()
	err := soak(ctx, s, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "xcri-soak:", err)
		os.Exit(1)
	}
}

var errFailed = errors.New("the proxy failed, see above")

// soak makes one run and writes its events to w.
func soak(ctx context.Context, s settings, w io.Writer) (err error) {
	if s.out == "" {
		if s.out, err = os.MkdirTemp("", "xcri-soak-log-"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(s.out, 0o700); err != nil {
		return err
	}
	log, err := openLog(s.out, w)
	if err != nil {
		return err
	}
	s.begun = time.Now()
	l := &lab{settings: s, count: &people.Counts{}, log: log, rand: rand.New(rand.NewPCG(s.seed, 1000))}
	log.note("seed %d, logs in %s", s.seed, s.out)
	if err := l.open(ctx); err != nil {
		return errors.Join(err, l.close())
	}
	err = l.run(ctx)
	good := l.report()
	if err = errors.Join(err, l.close()); err == nil && !good {
		err = errFailed
	}
	return err
}
