// Package recode makes other forms of a cache's entries in the background: of an entry
// that has just been stored, and in idle time the smallest form of the entries that are
// requested most.
package recode

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"weak"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// queueLength limits how many entries wait to be recoded. An entry that finds the queue
// full keeps its form.
const queueLength = 1024

// Options configure a Recoder. All but Recode and Shrink are required.
type Options struct {
	// Recode returns other variants of an entry, or nil to leave the entry as it is. The
	// caller holds the entry meanwhile, and releases the variants. Nil recodes nothing.
	Recode func(*entry.Entry) []entry.Variant
	Shrink Shrink
	// Check returns why an answer may not be stored.
	Check func(*entry.Content) error
	// Slots returns every slot of the cache. Has reports whether the cache serves a
	// version, or will, and Replace puts another form of the version in its place if so.
	Slots   func() []*slot.Slot
	Has     func(*slot.Version) bool
	Replace func(v *slot.Version, better *entry.Entry)
	Logger  *slog.Logger
}

// Recoder makes other forms of entries. It is safe for concurrent use.
type Recoder struct {
	opts   Options
	queue  chan weakVersion
	panics atomic.Int64
}

// weakVersion is a version in the queue. The queue holds no entry in memory: an entry
// that has left the cache is neither kept nor recoded.
type weakVersion = weak.Pointer[slot.Version]

// New returns a Recoder that works once Run is called.
func New(opts Options) *Recoder {
	return &Recoder{opts: opts, queue: make(chan weakVersion, queueLength)}
}

// Panics returns how many recodings have ended in a panic.
func (r *Recoder) Panics() int64 { return r.panics.Load() }

// Add schedules a version for recoding.
func (r *Recoder) Add(v *slot.Version) {
	if r.opts.Recode == nil {
		return
	}
	select {
	case r.queue <- weak.Make(v):
	default:
	}
}

// Run recodes the versions that Add schedules until ctx ends.
func (r *Recoder) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-r.queue:
			if v := next.Value(); v != nil && r.opts.Has(v) && v.Hold() {
				r.remake(v, r.opts.Recode)
				v.Release()
			}
		}
	}
}

// remake replaces a version by a form of it with other variants. After a panic the version
// stays as it is.
func (r *Recoder) remake(v *slot.Version, variantsOf func(*entry.Entry) []entry.Variant) {
	defer func() {
		if p := recover(); p != nil {
			r.panics.Add(1)
			r.opts.Logger.Error("panic in a recoding", "key", v.Key, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	variants := variantsOf(&v.Entry)
	if variants == nil {
		return
	}
	content := v.Content
	content.Variants = variants
	better, err := entry.New(v.Key, content, v.Filled, v.Took, r.opts.Check)
	if err != nil {
		r.opts.Logger.Error("recoding failed", "key", v.Key, "error", err)
		return
	}
	r.opts.Replace(v, better)
	better.Release()
}
