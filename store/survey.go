package store

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/pool"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/survey"
)

// Survey describes a server and our account there. See package survey.
type Survey = survey.Survey

// Survey reads the server's version and the rights of the account.
func (s *Store) Survey(ctx context.Context) (Survey, error) {
	return pool.Poll(ctx, s.pool, "read version and rights", func(c *pool.Conn) (Survey, error) { return survey.Read(c) })
}

// Unset returns the server's refusals to set the variables of a session, after the
// first connection.
func (s *Store) Unset() error { return s.pool.Unset() }

// TryEndpoints answers each endpoint's least question, with the fewest parameters and
// rows, and calls tried with its path and the error. It ends early with ctx.
func (s *Store) TryEndpoints(ctx context.Context, tried func(path string, err error)) {
	for _, e := range readapi.Endpoints() {
		if ctx.Err() != nil {
			return
		}
		_, err := s.Run(ctx, readapi.Least(e))
		tried(e.Path, err)
	}
}

// sleepSeconds is the length of the statement of TryCancel, if it is not ended.
const sleepSeconds = 5

// ErrNotEnded is the error of a server that goes on with a statement after its read
// was cancelled.
var ErrNotEnded = errors.New("the server goes on with a statement after its read was cancelled")

// errNotShown is the error of a server whose list of threads never shows a statement that
// runs.
var errNotShown = errors.New("the server does not show the thread of a statement that runs")

// TryCancel checks that the server ends the statement of a cancelled read: it starts a
// statement that only waits, cancels it, and searches the server's threads. It needs two
// connections.
func (s *Store) TryCancel(ctx context.Context) error {
	mark := "xcri-proxy checks cancellation " + strconv.FormatInt(time.Now().UnixMicro(), 36)
	wait := fmt.Sprintf("SELECT SLEEP(%d) /* %s */", sleepSeconds, mark)
	return tryCancel(ctx, func(ctx context.Context) error {
		return s.pool.Read(ctx, "wait", func(c *pool.Conn) error {
			return c.Rows(wait, nil, func([]driver.Value) error { return nil })
		})
	}, func() (bool, error) { return s.runs(ctx, mark) })
}

// tryCancel cancels the statement once it runs, and waits until it runs no longer.
func tryCancel(ctx context.Context, statement func(context.Context) error, runs func() (bool, error)) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- statement(reading) }()
	err := until(ctx, func() (bool, error) {
		select {
		case err := <-ended:
			return false, fmt.Errorf("the statement ended before it was cancelled: %w", cmp.Or(err, errNotShown))
		default:
			return runs()
		}
	})
	if err != nil {
		return err
	}
	cancel()
	ending, stop := context.WithTimeoutCause(ctx, (sleepSeconds-2)*time.Second, ErrNotEnded)
	defer stop()
	return until(ending, func() (bool, error) {
		found, err := runs()
		return !found, err
	})
}

// until calls holds every 20 ms until it returns true or an error. It returns the error, or
// the cause of ctx's end.
func until(ctx context.Context, holds func() (bool, error)) error {
	for {
		if done, err := holds(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// runs reports whether a statement with the mark is among the server's threads.
func (s *Store) runs(ctx context.Context, mark string) (bool, error) {
	return pool.Poll(context.WithoutCancel(ctx), s.pool, "read the server's threads", func(c *pool.Conn) (found bool, err error) {
		err = c.Rows("SHOW FULL PROCESSLIST", nil, func(row []driver.Value) error {
			for _, v := range row {
				found = found || strings.Contains(jsontext.AsText(v), mark)
			}
			return nil
		})
		return found, err
	})
}
