package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/limit"
)

const (
	// probeTimeout limits the probe that decides whether the server is down.
	probeTimeout = time.Second
	// recently is the age up to which the last success of a statement proves that the
	// server works although it grants no further connection.
	recently = 5 * time.Second
)

// judge returns a read's error with its sentinel. A connection that was lost, or could not
// be opened, is an outage only if a probe on a new connection fails too, and no other read
// has succeeded meanwhile.
func (p *Pool) judge(ctx context.Context, op string, err error) error {
	if !errors.Is(dberror.Wrap(op, err), dberror.ErrUnavailable) || ctx.Err() == context.Canceled {
		return dberror.Wrap(op, err)
	}
	failed := time.Now()
	probe := p.probe()
	good := p.good.Get()
	switch {
	case probe == nil, good.After(failed), dberror.Of(probe).Class == dberror.NoRoom && time.Since(good) < recently:
		return fmt.Errorf("%s: %w: %v", op, dberror.ErrInterrupted, err)
	case dberror.Of(probe).Class == dberror.Setup:
		return dberror.Wrap(op, probe)
	}
	return dberror.Wrap(op, err)
}

// probe pings the server on a new connection.
func (p *Pool) probe() error {
	return p.probes.Do(func() error {
		ctx, cancel := limit.Within(p.ctx, probeTimeout)
		defer cancel()
		l, err := p.dialer.open(ctx)
		if err != nil {
			return err
		}
		return l.conn.Close()
	})
}
