// Package store answers the read API's queries, each from one consistent read of
// the database. Package readapi below it holds the queries as data (the endpoints
// with their parameters, SQL and columns), and package pool the connections.
package store

import (
	"context"
	"database/sql/driver"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/pool"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/scope"
	"github.com/lewistv/xcri-proxy/store/secure"
	"github.com/lewistv/xcri-proxy/store/steps"
	"github.com/lewistv/xcri-proxy/store/subjects"
)

// Options configure a Store: the database to read and the number of connections.
type Options = pool.Options

// Stats are the counters of the connection pool.
type Stats = pool.Stats

// Room reports that the server grants fewer connections than Options.MaxConns.
type Room = pool.Room

// The ways in which the database can fail a read.
var (
	ErrUnavailable = dberror.ErrUnavailable
	ErrInterrupted = dberror.ErrInterrupted
	ErrTimeout     = dberror.ErrTimeout
	ErrBusy        = dberror.ErrBusy
	ErrExhausted   = dberror.ErrExhausted
	ErrSetup       = dberror.ErrSetup
)

// Capacity holds the server's limits on connections and their current use.
type Capacity = pool.Capacity

// TLS configures the encryption of connections.
type TLS = secure.TLS

// TLSMode selects whether connections are encrypted.
type TLSMode = secure.Mode

// Reason classifies set-up errors. See package dberror.
type Reason = dberror.Reason

// The reasons of an ErrSetup.
const (
	BadSetup       = dberror.BadSetup
	Denied         = dberror.Denied
	Blocked        = dberror.Blocked
	NeedsTLS       = dberror.NeedsTLS
	NoTLS          = dberror.NoTLS
	BadCertificate = dberror.BadCertificate
	NoDatabase     = dberror.NoDatabase
	NoTable        = dberror.NoTable
)

// ReasonOf returns the reason of an ErrSetup.
func ReasonOf(err error) Reason { return dberror.ReasonOf(err) }

// Class classifies an error by its extent and its remedy. See package dberror.
type Class = dberror.Class

// The classes of errors.
const (
	ThisRead = dberror.ThisRead
	TryAgain = dberror.TryAgain
	NoRoom   = dberror.NoRoom
	Down     = dberror.Down
	Setup    = dberror.Setup
)

// ClassOf returns the class of an error of this package.
func ClassOf(err error) Class { return dberror.ClassOf(err) }

// Step is a part of a read. See package steps.
type Step = steps.Step

// The steps.
const (
	Connecting = steps.Connecting
	Querying   = steps.Querying
	Receiving  = steps.Receiving
	Handling   = steps.Handling
)

// Meter follows the steps of a read.
type Meter = steps.Meter

// WithMeter returns a context whose Run reports its steps to m.
func WithMeter(ctx context.Context, m Meter) context.Context { return steps.WithMeter(ctx, m) }

// Store answers queries from the database. It is safe for concurrent use.
type Store struct {
	pool   *pool.Pool
	totals readapi.Totals
	extra  *readapi.Extra
}

// Open returns a Store. It does not connect: see Check. columns names further columns, such
// as athletes.national_rank, that the answers about a resource show.
func Open(opts Options, columns ...string) (*Store, error) {
	extra, err := readapi.WithColumns(columns)
	if err != nil {
		return nil, err
	}
	p, err := pool.New(opts)
	if err != nil {
		return nil, err
	}
	return &Store{pool: p, extra: extra}, nil
}

// Close closes the connections once their reads have ended.
func (s *Store) Close() error { return s.pool.Close() }

// Check connects, and checks that every table with its extra columns can be selected from,
// without reading rows. The error wraps ErrSetup if only an operator can correct the
// failure; any other failure may be temporary.
func (s *Store) Check(ctx context.Context) error {
	for _, table := range readapi.Tables() {
		err := s.pool.Read(ctx, "read table "+table, func(c *pool.Conn) error {
			columns := strings.Join(append([]string{"1"}, s.extra.Tables()[table]...), ", ")
			return c.Rows("SELECT "+columns+" FROM "+table+" LIMIT 0", nil, func([]driver.Value) error { return nil })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Unshown returns the columns that the tables of the lists have and no answer
// shows, by table.
func (s *Store) Unshown(ctx context.Context) (map[string][]string, error) {
	return read(ctx, s, "read the names of columns", s.extra.Unshown)
}

// read returns the result of a read.
func read[T any](ctx context.Context, s *Store, op string, of func(scope.Database) (T, error)) (result T, err error) {
	err = s.pool.Read(ctx, op, func(c *pool.Conn) (err error) {
		result, err = of(c)
		return err
	})
	return result, err
}

// Capacity queries the server for its limits on connections.
func (s *Store) Capacity(ctx context.Context) (Capacity, error) { return s.pool.Capacity(ctx) }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// Stats returns the pool's current counters.
func (s *Store) Stats() Stats { return s.pool.Stats() }

// Run answers q. All its reads see one state of the database. A refusal of the
// endpoint, or no match, is an Answer with a status other than 200; errors wrap one of
// this package's errors where possible. When ctx ends, the server stops working for q.
func (s *Store) Run(ctx context.Context, q Query) (answer Answer, err error) {
	if a := q.Refused(); a != nil {
		return *a, nil
	}
	if q.Lane() == Search {
		ctx = pool.WithSearch(ctx)
	}
	err = s.pool.Read(ctx, q.Path, func(c *pool.Conn) error {
		of := q.Scope()
		generation, err := c.Once(of.String(), func() (string, error) { return scope.State(c, of) })
		if err != nil {
			return err
		}
		answer, err = q.Run(c, readapi.State{Generation: generation, Began: c.Began(), Totals: &s.totals, Extra: s.extra})
		answer.Generation = generation
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	return answer, nil
}

// WithSeries returns a context whose calls of Run, which must not be concurrent, are cheaper,
// because several of them see the same state of the database. It is no older than the call
// of WithSeries.
func (s *Store) WithSeries(ctx context.Context) context.Context { return s.pool.WithSeries(ctx) }

// Generation reads the state of all calculations and the stamps of all tables with two
// small queries, which take precedence over the reads of answers.
func (s *Store) Generation(ctx context.Context) (*Generation, error) {
	g, err := pool.Poll(ctx, s.pool, "read the generation", func(c *pool.Conn) (*Generation, error) { return readGeneration(c) })
	if err == nil {
		s.totals.See(g.Stamps(), time.Now())
	}
	return g, err
}

// readGeneration reads the stamps first: a change that commits between the two reads
// has another stamp at the next poll. A server that has no stamps, or refuses to show them,
// still has a generation, without stamps.
func readGeneration(db scope.Database) (*Generation, error) {
	stamps, err := scope.ReadStamps(db, readapi.Tables())
	switch class := dberror.Of(err).Class; {
	case dberror.NumberOf(err) != 0 && (class == dberror.ThisRead || class == dberror.Setup):
		stamps = nil
	case err != nil:
		return nil, err
	}
	g, err := scope.Read(db)
	if err != nil {
		return nil, err
	}
	return g.WithStamps(stamps), nil
}

// Subjects lists the athletes, teams and pairs of teams of a live scope.
func (s *Store) Subjects(ctx context.Context, of Scope) (*Subjects, error) {
	return read(ctx, s, "list the subjects of "+of.String(), func(db scope.Database) (*Subjects, error) { return subjects.Read(db, of) })
}

// ScopeRows reads a whole table and sums up its rows by scope; see scope.Sum.
func (s *Store) ScopeRows(ctx context.Context, table string) (map[Scope]Rows, error) {
	return read(ctx, s, "sum up table "+table, func(db scope.Database) (map[Scope]Rows, error) { return scope.Sum(db, table) })
}
