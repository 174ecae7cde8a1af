// Package verify compares the answers of the database with the answers of the old API: on
// request, and for a sample of the database's answers.
package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/compare"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// DefaultTimeout bounds a comparison unless the caller sets another bound.
	DefaultTimeout = 30 * time.Second
	// maxConcurrent limits the comparisons on request: each takes a connection to
	// the database and one to the old API.
	maxConcurrent = 2
	// maxTries limits how often both sources are asked while imports intervene.
	maxTries = 3
)

var (
	// ErrBusy is wrapped by the errors of comparisons that may be tried again soon.
	ErrBusy = errors.New("try again in a moment")
	// ErrSkipped is wrapped by the errors of targets that can't be compared.
	ErrSkipped = errors.New("not compared")

	errTooMany  = fmt.Errorf("%d comparisons are running, which is the limit; %w", maxConcurrent, ErrBusy)
	errAllInUse = fmt.Errorf("all connections to the database are in use; %w", ErrBusy)
)

// Verdicts in addition to package compare's, which need two answers.
const (
	Failed  compare.Verdict = "failed"  // a source gave no answer
	Skipped compare.Verdict = "skipped" // the target can't be compared
)

// Store is the database, as far as this package needs it.
type Store interface {
	Run(context.Context, store.Query) (store.Answer, error)
	Stats() store.Stats
}

// Options configure a Verifier. Store and Routes are required.
type Options struct {
	Store Store
	// Legacy is the old API; nil if there is none, and nothing to compare with.
	Legacy *legacy.Client
	Routes *route.Router
	// Share of the database's answers that are sampled, from 0 to 1.
	Share float64
	// OnPanic is called when a comparison of a sample panicked; may be nil.
	OnPanic func()
	// Logger receives differences of samples; nil discards them.
	Logger *slog.Logger
}

// Verifier compares both sources. It is safe for concurrent use.
type Verifier struct {
	opts    Options
	ctx     context.Context // ended by Close
	stop    context.CancelFunc
	turns   chan struct{} // holds an element for each comparison on request
	samples *samples
}

// New returns a Verifier. Samples are compared once Run is called.
func New(opts Options) *Verifier {
	if opts.OnPanic == nil {
		opts.OnPanic = func() {}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	v := &Verifier{opts: opts, turns: make(chan struct{}, maxConcurrent), samples: newSamples()}
	v.ctx, v.stop = context.WithCancel(context.Background())
	return v
}

// Close ends the comparisons on request.
func (v *Verifier) Close() { v.stop() }

// Comparison is the comparison of both sources' answers to one request.
type Comparison struct {
	Path       string
	Key        string // empty for a bad parameter
	Route      string
	Verdict    compare.Verdict
	Difference *Difference // nil if there is none to show
	Store      Answer
	Legacy     Answer
	Error      string // why it failed or was skipped
	Expected   string // the known fault of the old API that explains the difference
}

// Difference is the first place where the answers differ. Path is status, or a
// path into the JSON.
type Difference struct{ Path, Store, Legacy string }

// Answer is one source's answer; the status is zero if there is none.
type Answer struct {
	Status int
	Bytes  int
	Took   time.Duration

	body       []byte
	generation string // of the database's answer
	err        error
}

// Compare compares both sources' answers to a target, as a visitor sends it. The
// error wraps ErrBusy or ErrSkipped. There must be an old API.
func (v *Verifier) Compare(target string, timeout time.Duration) (Comparison, error) {
	select {
	case v.turns <- struct{}{}:
		defer func() { <-v.turns }()
	default:
		return Comparison{}, errTooMany
	}
	s, err := v.subject(target)
	switch {
	case err != nil:
		return Comparison{}, err
	case !v.hasSpare():
		return Comparison{}, errAllInUse
	}
	ctx, cancel := context.WithTimeout(v.ctx, timeout)
	defer cancel()
	return v.compare(ctx, s), nil
}

// hasSpare reports whether a comparison leaves a connection for polls of the
// database's generation.
func (v *Verifier) hasSpare() bool {
	pool := v.opts.Store.Stats()
	return pool.Limit == 0 || pool.InUse < max(1, pool.Limit-1)
}

// subject is a request that both sources can be asked.
type subject struct {
	route.Question
	path    string // as it was given
	target  string // for the old API
	refusal []byte // the body for a bad parameter, which needs no source
}

var (
	errNoPath   = noSubject(route.ErrNoRoute.Error())
	errHasClock = fmt.Errorf("%w: the answer contains the time", ErrSkipped)
	errNew      = fmt.Errorf("%w: the old API does not have this endpoint", ErrSkipped)
)

// noSubject is the reason why a target can't be compared.
type noSubject string

func (n noSubject) Error() string { return string(n) }

func (n noSubject) Unwrap() error { return ErrSkipped }

// subject returns the subject of a target. The error wraps ErrSkipped.
func (v *Verifier) subject(target string) (*subject, error) {
	at := v.opts.Routes.Locate([]byte(target))
	switch {
	case at.Site:
		return nil, errNoPath
	case at.Root():
		return nil, errHasClock
	}
	m := v.opts.Routes.Match(at.Path, at.Query)
	if m == nil {
		return nil, errNoPath
	}
	defer m.Release()
	if !Comparable(m.Route) {
		if m.Route.Path() == route.HealthPath {
			return nil, errHasClock
		}
		return nil, errNew
	}
	s := &subject{Question: route.Question{Route: m.Route}, path: target, target: m.LegacyTarget()}
	key := m.Key()
	if key == nil {
		s.refusal = m.Refusal()
		return s, nil
	}
	var err error
	if s.Question, err = v.opts.Routes.Question(string(key)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSkipped, err)
	}
	return s, nil
}

// Comparable reports whether the answers of a route can be compared: the old API has an
// answer that may be equal.
func Comparable(r *route.Route) bool { return !r.Endpoint.Own }

// compare asks both sources. A difference is only believed if it appears again
// without an import in between.
func (v *Verifier) compare(ctx context.Context, s *subject) (c Comparison) {
	generation := ""
	for try := 1; try <= maxTries; try++ {
		c = s.judge(v.askStore(ctx, s), v.askLegacy(ctx, s))
		settled := try > 1 && c.Store.generation == generation
		if settled || c.Verdict != compare.Different {
			break
		}
		generation = c.Store.generation
	}
	return c
}
