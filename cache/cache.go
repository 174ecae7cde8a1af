package cache

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache/current"
	"github.com/lewistv/xcri-proxy/cache/fill"
	"github.com/lewistv/xcri-proxy/cache/outage"
	"github.com/lewistv/xcri-proxy/cache/reads"
	"github.com/lewistv/xcri-proxy/cache/recode"
	"github.com/lewistv/xcri-proxy/cache/shelf"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// Cache is a read-through cache. It is safe for concurrent use.
type Cache struct {
	opts    Options
	outage  *outage.Outage
	created time.Time // the instant from which the monotonic clock counts
	current *current.Current
	index   slot.Index

	// mu guards changes of slots: their versions, their shelves and the preparation.
	// Readers do not take it.
	mu       sync.Mutex
	shelves  *shelf.Shelves[*slot.Slot]
	prepared *slot.Preparation
	reads    reads.Reads

	fills   *fill.Fills
	recoder *recode.Recoder
	counts  counts
}

// counts are the counters since the start.
type counts struct {
	refreshed, waiting atomic.Int64
}

// New returns an empty Cache without a published generation.
func New(opts Options) (*Cache, error) {
	if opts.Fill == nil {
		return nil, errors.New("cache: Options.Fill is missing")
	}
	inLanes := opts.Lane != nil
	c := &Cache{opts: opts.withDefaults(), created: time.Now(), current: current.New(), prepared: slot.NewPreparation(nil)}
	c.outage = c.opts.Outage
	c.fills = fill.New(fill.Options{
		Timeout: c.opts.FillTimeout, Slots: c.opts.Fills, InLanes: inLanes, Lane: c.opts.Lane, IsDown: c.opts.IsDown,
		Outage: c.outage, FillsWhileDown: c.opts.FillsWhileDown, Slow: c.opts.SlowFill, Logger: c.opts.Logger,
	})
	c.recoder = recode.New(recode.Options{
		Recode: c.opts.Recode, Shrink: c.opts.Shrink, Check: c.opts.Check,
		Slots: c.index.All, Has: c.has, Replace: c.replace, Logger: c.opts.Logger,
	})
	var err error
	if c.shelves, err = shelf.New[*slot.Slot](c.opts.Bytes); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if c.opts.Season {
		c.shelves.KeepSeason()
	}
	if c.opts.Recode != nil {
		c.fills.Go(c.recoder.Run)
	}
	if c.opts.Shrink.Make != nil {
		c.fills.Go(c.recoder.RunShrink)
	}
	return c, nil
}

// Close cancels the running fills and waits for them. Entries can still be read
// afterwards, but nothing is filled.
func (c *Cache) Close() { c.fills.Close() }
