package pool

import (
	"context"
	"sync"
	"time"
)

const (
	// seriesFor is the age at which the transaction of a series ends: until then it locks
	// the definitions of the tables that it has read.
	seriesFor = 50 * time.Millisecond
	// seriesIdle is the time without a read after which the transaction ends.
	seriesIdle = 2 * time.Millisecond
)

// transaction is a connection in a read-only transaction.
type transaction struct {
	*link
	began time.Time         // no later than its first read
	found map[string]string // by Conn.Once
}

// begin begins the transaction.
func (tx *transaction) begin(ctx context.Context) error {
	tx.began, tx.found = time.Now(), map[string]string{}
	return tx.exec(ctx, "START TRANSACTION READ ONLY")
}

// end ends the transaction: the next read must not see its snapshot.
func (tx *transaction) end(ctx context.Context) {
	if tx.valid() && tx.exec(context.WithoutCancel(ctx), "ROLLBACK") != nil {
		tx.conn.Close()
	}
}

// Began returns a time that is no later than the state of the database that the read sees.
// It may be called within Read only.
func (c *Conn) Began() time.Time { return c.tx.began }

// Once returns the result of read, or the result of an earlier call with this name in the
// same transaction, whose reads all see the same state of the database. It may be called
// within Read only.
func (c *Conn) Once(name string, read func() (string, error)) (value string, err error) {
	value, known := c.tx.found[name]
	if !known {
		if value, err = read(); err == nil {
			c.tx.found[name] = value
		}
	}
	return value, err
}

// series is a transaction that consecutive reads share. It is given back once it is old or
// idle, a read of it fails, or another read waits for a connection.
type series struct {
	pool *Pool
	mu   sync.Mutex
	open *transaction // between two reads; nil if there is none
	idle *time.Timer  // ends it
}

type seriesKey struct{}

// WithSeries returns a context whose reads, which must not be concurrent, share
// transactions, so that a read costs only its own statements. A read may then see a state of
// the database that is older than the read, but not older than the call of WithSeries.
func (p *Pool) WithSeries(ctx context.Context) context.Context {
	return context.WithValue(ctx, seriesKey{}, &series{pool: p})
}

// seriesOf returns the series of a context, or nil.
func seriesOf(ctx context.Context) *series {
	s, _ := ctx.Value(seriesKey{}).(*series)
	return s
}

// take returns the open transaction for a read, or nil.
func (s *series) take() *transaction {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := s.open
	if tx != nil {
		s.idle.Stop()
		s.open = nil
	}
	return tx
}

// goesOn reports whether a transaction stays open after a read that succeeded.
func (s *series) goesOn(tx *transaction) bool {
	return s != nil && tx.valid() && time.Since(tx.began) < seriesFor && !s.pool.gate.Waiting()
}

// put keeps a transaction for the next read. Close waits for its end.
func (s *series) put(tx *transaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pool.work.Add(1)
	s.open = tx
	s.idle = time.AfterFunc(seriesIdle, s.end)
}

// end gives the open transaction back.
func (s *series) end() {
	if tx := s.take(); tx != nil {
		defer s.pool.work.Done()
		tx.end(s.pool.ctx)
		s.pool.release(tx.link)
	}
}
