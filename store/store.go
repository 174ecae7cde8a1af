// Package store answers the read API's questions, each from one consistent read
// of the database. Package readapi below it holds the questions as data: the
// endpoints with their parameters, SQL and columns.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/readapi"
)

// Options say which database to read, and how hard.
type Options struct {
	Host   string
	Port   int
	Socket string // a Unix socket, instead of Host and Port
	Name   string // of the database
	User   string
	// Password is not logged or repeated in an error.
	Password string
	// MaxConns is the most connections to have open at once; zero means 8.
	MaxConns int
	// StatementTimeout is how long the server may work on one statement; zero
	// means 10 s.
	StatementTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.MaxConns == 0 {
		o.MaxConns = 8
	}
	if o.StatementTimeout == 0 {
		o.StatementTimeout = 10 * time.Second
	}
	return o
}

const (
	dialTimeout = 2 * time.Second
	// readMargin is how much longer the client waits than the server works, so
	// that it is the server that ends a slow statement.
	readMargin = 2 * time.Second
	// connLifetime recycles connections well within the server's wait_timeout,
	// and moves them to a new server within minutes.
	connLifetime = 3 * time.Minute
)

// Store answers questions from the database. It is safe for concurrent use.
type Store struct {
	db    *sql.DB
	limit time.Duration // of a statement
}

// Open returns a Store. It does not connect: see Check.
func Open(opts Options) (*Store, error) {
	opts = opts.withDefaults()
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = opts.User, opts.Password, opts.Name
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port))
	if opts.Socket != "" {
		cfg.Net, cfg.Addr = "unix", opts.Socket
	}
	cfg.Timeout = dialTimeout
	cfg.ReadTimeout = opts.StatementTimeout + readMargin
	cfg.WriteTimeout = dialTimeout
	cfg.InterpolateParams = true // one round trip a statement
	cfg.Collation = "utf8mb4_general_ci"
	cfg.Logger = &mysql.NopLogger{} // errors are returned, and logged there
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("database settings: %w", err)
	}
	db := sql.OpenDB(&limiter{connector, opts.StatementTimeout})
	db.SetMaxOpenConns(opts.MaxConns)
	db.SetMaxIdleConns(opts.MaxConns)
	db.SetConnMaxLifetime(connLifetime)
	return &Store{db: db, limit: opts.StatementTimeout}, nil
}

// Close closes the connections once their reads have ended.
func (s *Store) Close() error { return s.db.Close() }

// Check connects and looks at every table. It returns ErrSetup for what only a
// person can mend, and ErrUnavailable for what may pass.
func (s *Store) Check(ctx context.Context) error {
	for _, table := range readapi.Tables() {
		rows, err := s.db.QueryContext(ctx, "SELECT 1 FROM "+table+" LIMIT 1")
		if err == nil {
			err = errors.Join(rows.Err(), rows.Close())
		}
		if err != nil {
			return classify("look at table "+table, err)
		}
	}
	return nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return classify("ping", s.db.PingContext(ctx))
}

// Stats are figures of the pool of connections.
type Stats struct {
	Limit  int           // most connections at once
	Open   int           // connections open now
	InUse  int           // connections reading now
	Waits  int64         // reads that had to wait for a connection
	Waited time.Duration // how long they did, together
}

// Stats returns the pool's figures of this moment.
func (s *Store) Stats() Stats {
	db := s.db.Stats()
	return Stats{db.MaxOpenConnections, db.OpenConnections, db.InUse, db.WaitCount, db.WaitDuration}
}

// Run answers q. All its reads see one state of the database. What the
// endpoint refuses or cannot find is an Answer with another status than 200;
// errors wrap ErrUnavailable, ErrTimeout or ErrSetup.
func (s *Store) Run(ctx context.Context, q Query) (Answer, error) {
	if a := q.Refused(); a != nil {
		return *a, nil
	}
	start := time.Now()
	answer, err := s.read(ctx, q)
	if isLost(err) && ctx.Err() == nil && time.Since(start) < s.limit {
		// The server went away between two reads, or restarted. Only the first
		// use of each old connection meets that. One that was silent for longer
		// than a statement may take hangs, and would again.
		answer, err = s.read(ctx, q)
	}
	return answer, classify(q.Path, err)
}

func (s *Store) read(ctx context.Context, q Query) (Answer, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return Answer{}, err
	}
	defer tx.Rollback() // ends the read; there is nothing to commit
	r := &reader{ctx, conn}
	generation, err := r.generation(q.Scope())
	if err != nil {
		return Answer{}, err
	}
	answer, err := q.Run(r)
	if err != nil {
		return Answer{}, err
	}
	answer.Generation = generation
	return answer, nil
}
