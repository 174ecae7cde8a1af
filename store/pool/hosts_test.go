package pool

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/pool/session"
	"github.com/lewistv/xcri-proxy/store/secure"
)

// TestDeniedForItsEncryption: a login that is denied without encryption and accepted with it
// needs encryption. Its test connection is closed.
func TestDeniedForItsEncryption(t *testing.T) {
	denied, other := error(&mysql.MySQLError{Number: 1045}), error(&mysql.MySQLError{Number: 1049})
	for name, tt := range map[string]struct {
		err       error
		encrypted bool  // there is a way to connect with encryption
		again     error // result of this attempt
		needs     bool
		tries     int
	}{
		"accepted with encryption": {denied, true, nil, true, 1},
		"denied with encryption":   {denied, true, denied, false, 1},
		"another error":            {other, true, nil, false, 0},
		"no error":                 {nil, true, nil, false, 0},
		"encrypted already":        {denied, false, nil, false, 0},
	} {
		conn, tries := &fakeConn{}, 0
		h := &host{}
		if tt.encrypted {
			h.encrypted = connectorFunc(func() (driver.Conn, error) {
				if tries++; tt.again != nil {
					return nil, tt.again
				}
				return conn, nil
			})
		}
		err := h.diagnose(t.Context(), tt.err)
		if needs := dberror.ReasonOf(err) == dberror.NeedsTLS; needs != tt.needs || !needs && err != tt.err || needs && !errors.Is(err, denied) || tries != tt.tries || conn.closed != tt.needs {
			t.Errorf("%s: %v after %d tries, closed %t", name, err, tries, conn.closed)
		}
	}
}

// hostsNamed returns a dialer of hosts that do not connect, and its log.
func hostsNamed(names ...string) (*dialer, *bytes.Buffer) {
	log := &bytes.Buffer{}
	d := &dialer{log: slog.New(slog.NewTextHandler(log, nil))}
	for _, name := range names {
		d.hosts = append(d.hosts, &host{name: name, session: session.New(time.Second)})
	}
	return d, log
}

// TestOrderOfHosts: the host in use is tried first, then the others as configured. A host
// that has failed is tried last for a time that doubles with each failure, and is then
// preferred again if it stands before the host in use.
func TestOrderOfHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, log := hostsNamed("a", "b", "c")
		a, b := d.hosts[0], d.hosts[1]
		check := func(want string, preferred *host) {
			t.Helper()
			var names []string
			for _, h := range d.order() {
				names = append(names, h.name)
			}
			if got := strings.Join(names, ""); got != want || d.preferred() != preferred {
				t.Errorf("order %s, want %s; preferred %v", got, want, d.preferred())
			}
		}
		check("abc", nil)
		d.failed(a)
		check("bca", nil)
		l := &link{}
		if d.use(b, l); !d.current(l) || d.current(&link{}) || strings.Count(log.String(), "another database host") != 1 {
			t.Errorf("term %d, log %q", l.term, log.String())
		}
		if d.use(b, l); strings.Count(log.String(), "another database host") != 1 {
			t.Errorf("log %q", log.String())
		}
		check("bca", nil)
		time.Sleep(firstRest)
		check("bac", nil)
		time.Sleep(time.Nanosecond)
		check("bac", a)
		rest := firstRest
		for range 12 {
			d.failed(a)
			rest = min(2*rest, longestRest)
			time.Sleep(rest)
			check("bac", nil)
			time.Sleep(time.Nanosecond)
			check("bac", a)
		}
		d.use(a, nil)
		d.failed(a)
		d.use(b, nil)
		time.Sleep(firstRest + 1)
		check("bac", a)
		if d.retire(); d.current(l) {
			t.Error("a retired connection is used again")
		}
	})
}

// TestUnsetVariables: the variables that a server refuses are reported, and logged once for
// a host. A time limit is missing if neither server's name for it is known.
func TestUnsetVariables(t *testing.T) {
	d, log := hostsNamed("a", "b")
	refuses := func(h *host, names ...string) {
		conn := &fakeConn{refuse: map[string]uint16{}}
		for _, name := range names {
			conn.refuse[name] = 1193
		}
		if err := h.session.SetUp(t.Context(), (&link{conn: conn}).exec); err != nil {
			t.Fatal(err)
		}
	}
	refuses(d.hosts[0], session.StatsExpiry, session.MaxStatementTime)
	refuses(d.hosts[1], session.MaxExecutionTime, session.MaxStatementTime, "sql_mode")
	p := &Pool{dialer: d}
	for range 2 {
		d.use(d.hosts[0], nil)
	}
	if err := p.Unset(); err != nil || strings.Contains(log.String(), "variables") {
		t.Errorf("%v, log %q", err, log.String())
	}
	d.hosts[0].session = session.New(time.Second)
	refuses(d.hosts[0], session.MaxExecutionTime)
	if err := p.Unset(); err != nil {
		t.Error(err)
	}
	for range 2 {
		d.use(d.hosts[1], nil)
	}
	err := p.Unset()
	if dberror.NumberOf(err) != 1193 || strings.Count(log.String(), "does not set all variables") != 1 {
		t.Fatalf("%v, log %q", err, log.String())
	}
	for _, name := range []string{session.MaxExecutionTime, session.MaxStatementTime, "sql_mode"} {
		if !strings.Contains(err.Error(), name+": Error 1193: refused") {
			t.Errorf("%s is missing: %v", name, err)
		}
	}
}

// TestHostSettings: each host of the list is one to connect to; a socket takes their place.
// Settings that no connection can have are an error.
func TestHostSettings(t *testing.T) {
	for want, opts := range map[string]Options{"a,b": {Host: "a, b"}, "": {Host: "a,b", Socket: "/socket"}} {
		d, err := newDialer(opts)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, h := range d.hosts {
			names = append(names, h.name)
		}
		if strings.Join(names, ",") != want {
			t.Errorf("%q, want %q", names, want)
		}
	}
	if d, err := newDialer(Options{Host: "a", TLS: secure.TLS{Mode: secure.Verify, CA: "/nowhere"}}); d != nil || err == nil {
		t.Errorf("%v, %v", d, err)
	}
}
