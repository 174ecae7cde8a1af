package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/pool/session"
)

// connectorFunc is a server that answers a login as the function says.
type connectorFunc func() (driver.Conn, error)

func (f connectorFunc) Connect(context.Context) (driver.Conn, error) { return f() }
func (f connectorFunc) Driver() driver.Driver                        { return nil }

// A lost connection is an outage only if a probe fails too and no other read has
// succeeded meanwhile.
func TestJudge(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errors.New("connection refused"))}
	number := func(n uint16) error { return &mysql.MySQLError{Number: n} }
	for _, tt := range []struct {
		name  string
		err   error         // of the read
		probe error         // of a login
		good  time.Duration // since the last success; negative means during the probe
		want  error
	}{
		{"the server answers", mysql.ErrInvalidConn, nil, time.Hour, dberror.ErrInterrupted},
		{"the server is gone", mysql.ErrInvalidConn, refused, 0, dberror.ErrUnavailable},
		{"another read succeeds meanwhile", mysql.ErrInvalidConn, refused, -1, dberror.ErrInterrupted},
		{"a dial fails, another read succeeds", refused, refused, -1, dberror.ErrInterrupted},
		{"no room, and reads succeed", mysql.ErrInvalidConn, number(1040), time.Second, dberror.ErrInterrupted},
		{"no room, and none has succeeded for long", mysql.ErrInvalidConn, number(1226), time.Minute, dberror.ErrUnavailable},
		{"the server shuts down", number(1053), number(1053), time.Second, dberror.ErrUnavailable},
		{"the server restarts immediately", number(1053), nil, time.Second, dberror.ErrInterrupted},
		{"the account was locked", mysql.ErrInvalidConn, number(4151), time.Second, dberror.ErrSetup},
		{"a deadlock needs no probe", number(1213), refused, time.Hour, dberror.ErrInterrupted},
		{"a limit needs no probe", number(1969), refused, time.Hour, dberror.ErrTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &Pool{opts: Options{}.withDefaults(), ctx: t.Context()}
				probes := 0
				p.dialer = &dialer{log: p.opts.Logger, hosts: []*host{{session: session.New(time.Second), timeout: time.Second,
					connector: connectorFunc(func() (driver.Conn, error) {
						probes++
						time.Sleep(time.Millisecond)
						if tt.good < 0 {
							p.good.Set(time.Now())
						}
						if tt.probe != nil {
							return nil, tt.probe
						}
						return &fakeConn{}, nil
					})}}}
				if tt.good >= 0 {
					p.good.Set(time.Now().Add(-tt.good))
				}
				err := p.judge(t.Context(), "op", tt.err)
				for _, sentinel := range []error{dberror.ErrUnavailable, dberror.ErrTimeout, dberror.ErrSetup, dberror.ErrInterrupted} {
					if errors.Is(err, sentinel) != (sentinel == tt.want) {
						t.Errorf("%v, want %v", err, tt.want)
					}
				}
				if needed := errors.Is(dberror.Wrap("op", tt.err), dberror.ErrUnavailable); (probes > 0) != needed {
					t.Errorf("%d probes", probes)
				}
				// A caller whose context has ended causes no probe.
				gone, leave := context.WithCancel(t.Context())
				leave()
				before := probes
				if p.judge(gone, "op", tt.err); probes != before {
					t.Error("a probe for a caller who has left")
				}
			})
		})
	}
}
