package cache

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/fill"
	"github.com/lewistv/xcri-proxy/cache/outage"
)

var (
	// ErrWait is returned to a request that has waited for a fill for
	// Options.WaitTimeout. The fill goes on, and its answer is stored.
	ErrWait = errors.New("still waiting for the answer")
	// ErrDown is returned immediately while the origin is known to be down.
	ErrDown = outage.ErrDown
	// ErrGone is returned to a request whose context ended while it waited.
	ErrGone = errors.New("the client has left")
	// ErrAbandoned is the cause of the end of a Costly fill that no request waits for
	// any more.
	ErrAbandoned = fill.ErrAbandoned
	// ErrUnfit is the error of an answer that may not be stored, and wraps the reason.
	ErrUnfit = entry.ErrUnfit
	// ErrMoved is the error of a key whose fill read another generation than the
	// generation being prepared.
	ErrMoved = errors.New("the fill read another generation")
	// ErrNoRoom is the error of an answer that finds no room in the season.
	ErrNoRoom = errors.New("the season's part of the cache is full")
)

// Fill loads the answer that key names. Its context ends with the fill's deadline. At
// most Options.Fills run concurrently, and at most one for a key and generation. An
// error is not stored, nor is an answer that may not be stored: that becomes an error
// that wraps ErrUnfit.
type Fill func(ctx context.Context, key string) (Content, error)

// Options configure a Cache. Fill is required.
type Options struct {
	Fill Fill
	// Shared is a second level that several caches share; nil means none.
	Shared Shared
	// Strict returns a time if other caches answer the same clients. A request then waits for a
	// fill instead of getting an entry of an earlier generation, and at most for that time for
	// the publish of the generation that its fill has read. Nil means zero.
	Strict func() time.Duration
	// Check returns why an answer may not be stored, beyond being incomplete, and
	// nil if it may be. It applies to each answer, whether it was filled, adopted
	// or recoded. Nil allows all complete answers.
	Check func(*Content) error
	// Absent reports whether an answer has no content, as for a row that does not exist.
	// Such answers have a small share of the budget to themselves. Nil means that every
	// answer has content.
	Absent func(*Content) bool
	// Recode returns other variants of an entry that has just been stored, which
	// take too long to make while a request waits, or nil to leave it as it is. The
	// caller holds the entry meanwhile; Recode holds the variants that it returns,
	// and the cache releases them. It runs in the background, one entry at a time.
	// May be nil.
	Recode func(*Entry) []Variant
	// Shrink makes the smallest forms of entries in idle time.
	Shrink Shrink
	// OnPurge is called after each purge: entries that were exported before may be purged
	// now. May be nil.
	OnPurge func()
	// IsDown reports whether the error of a fill means that the origin is down, rather
	// than a failure of the key alone. Nil means that no error does.
	IsDown func(error) bool
	// Outage is shared with other code that learns of outages of the origin; nil means
	// that only fills report outages.
	Outage *Outage
	// FillsWhileDown reports whether key can be filled during an outage, from
	// elsewhere. Such a key is filled for the request that misses it, and refreshed
	// once its entry was filled longer than DownAge ago, since no new generations are
	// published meanwhile. It may be called often and from any goroutine. Nil means
	// that no key can be; a DownAge of zero means 1 min.
	FillsWhileDown func(key string) bool
	DownAge        time.Duration
	// Bytes is the budget of all entries; zero means 64 MiB. Season reserves a part of it
	// for the entries that Keep keeps.
	Bytes  int64
	Season bool
	// FillTimeout bounds a fill, and WaitTimeout a request's wait for a fill; zero
	// means 20 s and 15 s.
	FillTimeout, WaitTimeout time.Duration
	// Fills limits concurrent fills; at most half may be refreshes. Zero means 8.
	Fills int
	// Lane returns how long the fill of a key keeps the origin busy, and the group of
	// keys that depend on the same part of the origin, such as one table; empty for
	// none. Fills of a lane or a group can't take all slots. It may be called from any
	// goroutine. Nil means that all keys share all slots.
	Lane func(key string) (lane Lane, group string)
	// SlowFill is the duration of a fill, with its wait for a turn, from which on the fill
	// is logged; zero means never.
	SlowFill time.Duration
	// Logger takes failures that no request sees; nil discards them.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	setDefault(&o.Bytes, 64<<20)
	setDefault(&o.FillTimeout, 20*time.Second)
	setDefault(&o.WaitTimeout, 15*time.Second)
	setDefault(&o.Fills, 8)
	setDefault(&o.DownAge, time.Minute)
	if o.Check == nil {
		o.Check = func(*Content) error { return nil }
	}
	if o.Absent == nil {
		o.Absent = func(*Content) bool { return false }
	}
	if o.OnPurge == nil {
		o.OnPurge = func() {}
	}
	if o.Strict == nil {
		o.Strict = func() time.Duration { return 0 }
	}
	if o.IsDown == nil {
		o.IsDown = func(error) bool { return false }
	}
	if o.FillsWhileDown == nil {
		o.FillsWhileDown = func(string) bool { return false }
	}
	if o.Lane == nil {
		o.Lane = func(string) (Lane, string) { return Quick, "" }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Outage == nil {
		o.Outage = NewOutage(o.Logger)
	}
	return o
}

func setDefault[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}
