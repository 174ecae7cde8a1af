// Package fleet joins the proxies of one site: they share answers in a second level below
// their memory, and fill each answer once for all of them.
//
// # Which answers are shared
//
// The name of an answer consists of everything that decides whether it is right: the format,
// the maker of the answer, the series of the fleet, the key, the generation of the key's
// scope, and the server's stamps of the tables that the answer is read from. A member
// requests the name for the state of the data that its own last poll found, so that an
// answer from before a change, with or without a row in the metadata table, has another
// name. All of these are texts of the database: no member compares its clock with
// another's.
//
// Two changes of a table within a second may leave one stamp. An answer that was read
// within that time is unsure: only members that are themselves within it accept it, and
// they treat it like their own reads of that time, which the settling of the table makes
// stale. A purge changes the part of the series in the names of the answers that it selects.
//
// # When the level is away
//
// The link is up only while its subscription stands and the heartbeat is answered. The first
// operation that fails or exceeds its budget opens the circuit breaker: lookups end
// immediately and answers come from the origin. The link probes in the background; no request
// does. Hits in memory never use the level.
package fleet

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet/actions"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/proxy/fleet/ends"
	"github.com/lewistv/xcri-proxy/proxy/fleet/patience"
	"github.com/lewistv/xcri-proxy/proxy/fleet/series"
	"github.com/lewistv/xcri-proxy/proxy/fleet/waits"
	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
)

const (
	// budget bounds the silence of the server in an operation that a request waits for.
	budget = 50 * time.Millisecond
	// slowly bounds the silence in an operation in the background, in budgets: 1 s. It also
	// bounds the time of any operation, in its own budgets.
	slowly = 20
	// lease is the time for which a member that dies holds the lock of a fill, in budgets:
	// 2 s. A member that lives renews it.
	lease = 40
	// ttl is the time for which a value is kept: longer than the time between two imports.
	ttl = 8 * 24 * time.Hour
)

// Options configure a Fleet. Engine, Info, State, Usable, Rank, Published,
// Apply, Forget, Warm and Fresh are required.
type Options struct {
	Engine Engine
	// Info describes this member.
	Info func() Info
	// Maker identifies the maker of the answers: answers of other makers are not used.
	Maker string
	// State returns the state of a key's data in a generation.
	State func(g cache.Generation, key string) State
	// Usable reports whether a fill of the answer's key could have made the answer.
	Usable func(*cache.Saved) bool
	// Rank returns how complete the forms of a body are, from 0 to 9: a value is replaced
	// by a value of a higher rank.
	Rank func(*cache.Content) int
	// Published returns the published generation; nil before the first.
	Published func() cache.Generation
	// Apply does an action of another member. Forget makes all entries stale.
	Apply  func(Action)
	Forget func()
	// Missed repeats the purges of the log, which holds all purges since a time, on the
	// entries of an earlier run; nil does nothing.
	Missed func(since time.Time, purges []Action)
	// Lasting configures the actions that last.
	Lasting Lasting
	// Selector returns the condition by which a purge selects keys; nil means that each
	// purge selects all keys.
	Selector series.Selector
	// Warm returns the keys whose answers the level should hold, and Fresh the entry of a
	// key that the cache holds as fresh; nil if there is none.
	Warm  func() []string
	Fresh func(key string) *cache.Entry
	// Asked returns the requests for the keys that this member holds, which fade; nil reports
	// none.
	Asked func() map[string]int64
	// Hold makes requests wait for the publish of a generation, which MarshalJSON wrote. It
	// returns false if this member does not publish it. Wake requests a poll of the
	// database. Both may be nil.
	Hold func(generation []byte) bool
	Wake func()
	// Budget bounds the server's silence in an operation that a request waits for; zero
	// means 50 ms.
	Budget time.Duration
	// Pause is the first pause before a new attempt to connect; zero means 250 ms.
	Pause time.Duration
	// Logger receives changes of the link; nil discards them.
	Logger *slog.Logger
}

// State is the state of a key's data.
type State struct {
	// Generation is the generation of the key's scope; empty if the key is not shared.
	Generation string
	// Data identifies everything else that the answer depends on.
	Data string
	// Sure reports that any later change of the data gives another state.
	Sure bool
	// Settled reports that all entries which the cache holds as fresh are of this state.
	Settled bool
	// MaxAge limits the time for which the answer may be kept; zero means no limit.
	MaxAge time.Duration
}

// Fleet is a member of a fleet. It is safe for concurrent use.
type Fleet struct {
	opts    Options
	id      string // of this member, for its locks
	link    link
	waits   *waits.Waits
	figures figures
	offered offered
	actions *actions.Log
	members members
	ends    ends.Ends // of claims
	rounds  *agree.Rounds
	wanted  wanted.Counter
}

// New returns a Fleet whose link is down until Run connects it.
func New(opts Options) *Fleet {
	opts.Budget, opts.Pause = cmp.Or(opts.Budget, budget), cmp.Or(opts.Pause, firstPause)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Hold == nil {
		opts.Hold = func([]byte) bool { return false }
	}
	if opts.Selector == nil {
		opts.Selector = func(string, json.RawMessage) func(string) bool { return nil }
	}
	if opts.Asked == nil {
		opts.Asked = func() map[string]int64 { return nil }
	}
	if opts.Missed == nil {
		opts.Missed = func(time.Time, []Action) {}
	}
	if opts.Wake == nil {
		opts.Wake = func() {}
	}
	f := &Fleet{opts: opts, id: rand.Text(), waits: waits.New()}
	f.link.logged, f.link.tried = make(chan struct{}, 1), make(chan struct{})
	f.actions = newActions(opts)
	f.rounds = f.newRounds()
	return f
}

func newActions(opts Options) *actions.Log {
	return actions.New(actions.Options{
		Engine: opts.Engine, Name: func() string { return opts.Info().Name },
		Apply: opts.Apply, Forget: opts.Forget, Missed: opts.Missed, Lasting: opts.Lasting, Selector: opts.Selector, Logger: opts.Logger,
	})
}

// Act does an action on this member and on all others: see actions.Log.
func (f *Fleet) Act(kind string, data any, purge bool, do func() error) (refused, away error) {
	return f.act(actions.Request{Kind: kind, Data: data, Purge: purge}, do)
}

// ActAlone does an action on this member alone. After a purge the others use no selected
// answers from before it either.
func (f *Fleet) ActAlone(kind string, data any, purge bool, do func() error) (refused, away error) {
	return f.act(actions.Request{Kind: kind, Data: data, Purge: purge, Alone: true}, do)
}

func (f *Fleet) act(r actions.Request, do func() error) (refused, away error) {
	return f.actions.Act(r, do, func() actions.Run {
		if s := f.link.now.Load(); s != nil {
			return f.run(context.Background(), s)
		}
		return nil
	})
}

// run returns a function that runs operations of the log in a session.
func (f *Fleet) run(ctx context.Context, s *session) actions.Run {
	return func(operation func(context.Context) error) error {
		return f.do(ctx, s, slowly*f.opts.Budget, operation)
	}
}

// TableChanged reports a change of a table that no stamp shows: the other members, which may
// not know of the change, make the entries of its readers stale.
func (f *Fleet) TableChanged(table string) {
	if _, away := f.Act(Table, table, true, func() error { return nil }); away != nil {
		f.opts.Logger.Warn("the other members do the action once the shared level is back", "action", Table, "error", away)
	}
}

// do runs an operation, during which the server may be silent for a budget: see package
// patience. An operation that fails opens the circuit breaker, unless its caller has ended
// it.
func (f *Fleet) do(ctx context.Context, s *session, budget time.Duration, operation func(context.Context) error) error {
	return f.spend(ctx, s, f.patience(budget), operation)
}

func (f *Fleet) patience(budget time.Duration) *patience.Account {
	return patience.Patience{Moved: f.opts.Engine.Moved, Owed: f.opts.Engine.Owed, Budget: budget, Most: slowly}.Account()
}

// spend runs an operation like do, with the patience that earlier operations have left.
func (f *Fleet) spend(ctx context.Context, s *session, left *patience.Account, operation func(context.Context) error) error {
	within, end := left.Within(ctx)
	begun := time.Now()
	err := operation(within)
	f.figures.latency.Record(time.Since(begun))
	if cause := context.Cause(within); err != nil && cause == patience.ErrSilent {
		err = cause
	}
	end()
	switch {
	case err == nil:
	case err == ErrFull:
		f.figures.full.Add(1)
	case ctx.Err() == nil:
		f.figures.errors.Add(1)
		f.fail(s, err)
	}
	return err
}
