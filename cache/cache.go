package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache/outage"
	"github.com/lewistv/xcri-proxy/cache/reads"
	"github.com/lewistv/xcri-proxy/cache/shelf"
	"github.com/lewistv/xcri-proxy/cache/slot"
	"github.com/lewistv/xcri-proxy/cache/turns"
)

// Cache is a read-through cache. It is safe for concurrent use.
type Cache struct {
	opts    Options
	outage  *outage.Outage
	created time.Time // the instant from which the monotonic clock counts
	current atomic.Pointer[published]
	index   slot.Index

	// mu guards changes of slots: their versions, their shelves and the preparation.
	// Readers do not take it.
	mu       sync.Mutex
	shelves  *shelf.Shelves[*slot.Slot]
	prepared *preparation
	reads    reads.Reads

	flights flights
	recodes chan weakVersion
	life    life
	counts  counts
}

// counts are the counters since the start.
type counts struct {
	fills, failures, refreshed, panics, waiting, abandoned atomic.Int64
}

// New returns an empty Cache without a published generation.
func New(opts Options) (*Cache, error) {
	if opts.Fill == nil {
		return nil, errors.New("cache: Options.Fill is missing")
	}
	inLanes := opts.Lane != nil
	c := &Cache{opts: opts.withDefaults(), created: time.Now(), prepared: newPreparation(nil)}
	c.outage = c.opts.Outage
	c.current.Store(&published{State: &slot.State{}})
	c.flights.turns = turns.New(c.opts.Fills, inLanes)
	c.flights.waiters.of = map[string]*waited{}
	c.flights.loads.of, c.flights.loads.waiting = map[*turn]*Load{}, map[string]int{}
	c.flights.refreshes = make(chan struct{}, max(1, c.opts.Fills/2))
	c.recodes = make(chan weakVersion, recodeQueue)
	c.life.ctx, c.life.stop = context.WithCancel(context.Background())
	var err error
	if c.shelves, err = shelf.New[*slot.Slot](c.opts.Bytes); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if c.opts.Recode != nil {
		c.life.running.Go(c.recodeAll)
	}
	return c, nil
}

// Close cancels the running fills and waits for them. Entries can still be read
// afterwards, but nothing is filled.
func (c *Cache) Close() { c.life.close() }

// life tracks the cache's own goroutines, so that close can cancel them and wait for
// them.
type life struct {
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	// closing separates close from begin: a WaitGroup must not grow from zero while
	// it is waited for.
	closing sync.Mutex
}

// begin reports whether work may begin that close waits for. If so, running.Done must
// follow.
func (l *life) begin() bool {
	l.closing.Lock()
	defer l.closing.Unlock()
	if l.ctx.Err() != nil {
		return false
	}
	l.running.Add(1)
	return true
}

func (l *life) close() {
	l.closing.Lock()
	l.stop()
	l.closing.Unlock()
	l.running.Wait()
}
