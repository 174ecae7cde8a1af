package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin"
	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
)

// door is the address of a listener of a running Proxy.
type door struct{ network, addr string }

// opened starts p with a public listener and an admin listener.
func opened(t *testing.T, p *Proxy, network string) (public, admin door) {
	t.Helper()
	dir, err := os.MkdirTemp("", "xcri-doors-") // whose path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	working, stop := context.WithCancel(t.Context())
	served := make(chan error, 3)
	go func() { p.Run(working); served <- nil }()
	var doors []door
	for name, serve := range map[string]func(net.Listener) error{"admin": p.ServeAdmin, "public": p.Serve} {
		addr := "127.0.0.1:0"
		if network == "unix" {
			addr = filepath.Join(dir, name)
		}
		ln, err := net.Listen(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		go func() { served <- serve(ln) }()
		if doors = append(doors, door{network, ln.Addr().String()}); name == "public" {
			public = doors[len(doors)-1]
		} else {
			admin = doors[len(doors)-1]
		}
	}
	t.Cleanup(func() {
		limited, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := p.Shutdown(limited); err != nil {
			t.Error(err)
		}
		stop()
		for range 3 {
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	})
	awaitLook(t, p, p.generations.Poll(nil))
	return public, admin
}

func (d door) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial(d.network, d.addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

// ask sends a request, whose lines begin with the request line, and a body.
func (d door) ask(t testing.TB, body string, lines ...string) answer {
	t.Helper()
	conn := d.dial(t)
	defer conn.Close()
	method, _, _ := strings.Cut(lines[0], " ")
	text := strings.Join(lines, "\r\n") + "\r\nConnection: close\r\n"
	if method == "POST" {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	if _, err := io.WriteString(conn, text+"\r\n"+body); err != nil {
		t.Fatal(err)
	}
	return read(t, bufio.NewReader(conn), method)
}

func (d door) get(t testing.TB, target string, lines ...string) answer {
	t.Helper()
	return d.ask(t, "", append([]string{"GET " + target + " HTTP/1.1", "Host: localhost"}, lines...)...)
}

// TestDoors: with a separate admin listener, the admin pages are served only there,
// and it serves only them and the probes.
func TestDoors(t *testing.T) {
	const token = "a long enough token"
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			p, err := New(Options{Origin: &fakeOrigin{}, Generations: generation.Options{Pages: []string{}}, BasePath: "/iz/xcri", CORSOrigins: []string{"*"}, Admin: admin.Settings{Gate: gate.Options{Token: token, Separate: true}}})
			if err != nil {
				t.Fatal(err)
			}
			public, admin := opened(t, p, network)
			for target, want := range map[string][2]int{ // at the public listener, at the other
				"/teams/": {200, 404}, "/iz/xcri/api/teams/": {200, 404}, "/health": {200, 404}, "/": {200, 404}, "/iz/xcri/": {404, 404}, "/nowhere": {404, 404},
				"/livez": {200, 200}, "/iz/xcri/api/livez": {200, 200}, "/cache/stats": {404, 200}, "/cache/": {404, 200}, "/cache": {404, 308}, "/metrics": {404, 200},
				"/iz/xcri/cache/stats": {404, 200}, "/iz/xcri/api/metrics": {404, 200}, "/cache/nowhere": {404, 404}, "/cache/login": {404, 200},
			} {
				for i, at := range []door{public, admin} {
					for _, lines := range [][]string{nil, {"Authorization: Bearer " + token}} {
						if a := at.get(t, target, lines...); a.status != want[i] {
							t.Errorf("%s at %s %q: %d %s, want %d", target, at.addr, lines, a.status, a.body, want[i])
						}
					}
				}
			}
			for _, at := range []door{public, admin} {
				a := at.get(t, "/cache/stats", "Origin: https://evil.example")
				if a.header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s: %v", at.addr, a.header)
				}
			}
			if a := admin.get(t, "/cache/stats", "X-Forwarded-For: 127.0.0.1"); a.status != 401 {
				t.Errorf("forwarded: %d", a.status)
			}
			if a := admin.ask(t, "", "GET /cache/stats HTTP/1.1", "Host: evil.test"); a.status != 401 {
				t.Errorf("another host: %d", a.status)
			}
			if a := admin.ask(t, `{"all":true}`, "POST /cache/purge HTTP/1.1", "Host: localhost", "Content-Type: application/json"); a.status != 200 {
				t.Errorf("purge: %d %s", a.status, a.body)
			}
		})
	}
}

// TestAdminHasRoom: the admin listener answers while the public listener is full, and
// has its own connection limit.
func TestAdminHasRoom(t *testing.T) {
	p, err := New(Options{Origin: &fakeOrigin{}, Generations: generation.Options{Pages: []string{}}, Admin: admin.Settings{Gate: gate.Options{Separate: true}}, Limits: Limits{MaxConns: 2}})
	if err != nil {
		t.Fatal(err)
	}
	public, admin := opened(t, p, "tcp")
	hold := func(d door, target string) net.Conn {
		conn := d.dial(t)
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target)
		if a := read(t, bufio.NewReader(conn), "GET"); a.status != 200 {
			t.Fatalf("%s: %d", d.addr, a.status)
		}
		return conn
	}
	hold(public, "/livez")
	hold(public, "/livez")
	if a := public.get(t, "/teams/"); a.status != 503 {
		t.Errorf("the public listener is not full: %d", a.status)
	}
	if a := public.get(t, "/livez"); a.status != 200 {
		t.Errorf("a probe has no room: %d", a.status)
	}
	for _, target := range []string{"/livez", "/cache/stats", "/metrics"} {
		if a := admin.get(t, target); a.status != 200 {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	await(t, "the server notices that the clients have left", func() bool { return p.private.Stats().Open == 0 })
	var held []net.Conn
	for range maxAdminConns {
		held = append(held, hold(admin, "/livez"))
	}
	if a := admin.get(t, "/livez"); a.status != 503 {
		t.Errorf("the admin listener is not full: %d", a.status)
	}
	held[0].Close()
}

// TestUnixSocketServes: a Unix socket serves the same as TCP: large answers from
// files, many requests on a connection, operators, and clients that a proxy in front
// reports.
func TestUnixSocketServes(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	behind, err := legacy.New(legacy.Options{URL: old.URL(), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	defer behind.Close()
	opts := realOptions(t)
	opts.Legacy = behind
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := opened(t, p, "unix")

	conn := public.dial(t)
	defer conn.Close()
	from := bufio.NewReader(conn)
	for _, coding := range []string{"identity", "gzip", "br"} {
		for _, target := range []string{listTarget, "/teams/", listTarget, "/health"} {
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: %s\r\n\r\n", target, coding)
			if a := read(t, from, "GET"); a.status != 200 || !strings.Contains(a.plainBody(t), "{") {
				t.Fatalf("%s %s: %d", target, coding, a.status)
			}
		}
	}
	if a := public.get(t, "/cache/stats"); a.status != 200 {
		t.Errorf("an operator: %d %s", a.status, a.body)
	}
	for line, want := range map[string]int{"X-Forwarded-For: 127.0.0.1": 403, "X-Forwarded-Proto:": 403, "Authorization: Bearer x": 403} {
		if a := public.get(t, "/cache/stats", line); a.status != want {
			t.Errorf("%s: %d", line, a.status)
		}
	}
	for line, want := range map[string]string{"X-Nothing: x": "", "X-Forwarded-For: 203.0.113.7": "203.0.113.7", "X-Forwarded-For: 1.1.1.1, 203.0.113.7": "203.0.113.7"} {
		public.ask(t, "{}", "POST /feedback/ HTTP/1.1", "Host: www.example.org", line)
		got := old.Requests()
		if last := got[len(got)-1]; strings.Join(last.Header["X-Forwarded-For"], "|") != want || last.Header.Get("X-Forwarded-Host") != "www.example.org" {
			t.Errorf("%s: the old API got %v", line, last.Header)
		}
	}
}
