package redis

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
)

const patience = time.Minute

// between is a server in front of a Redis, which can send bytes of its own.
type between struct {
	addr string

	mu    sync.Mutex
	conns []net.Conn
}

func startBetween(t *testing.T, s *redisserver.Server) *between {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &between{addr: ln.Addr().String()}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", strings.TrimPrefix(s.URL, "unix://"))
			if err != nil {
				client.Close()
				continue
			}
			b.mu.Lock()
			b.conns = append(b.conns, client)
			b.mu.Unlock()
			go func() { io.Copy(client, server); client.Close() }()
			go func() { io.Copy(server, client); server.Close() }()
		}
	}()
	return b
}

// send sends bytes on all connections.
func (b *between) send(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		io.WriteString(c, text)
	}
	b.conns = nil
}

// TestServerBreaksProtocol holds that a server which sends anything but a reply to a
// command costs its connection and nothing else: the client would end the process.
func TestServerBreaksProtocol(t *testing.T) {
	s := redisserver.Start(t)
	b := startBetween(t, s)
	for _, c := range []struct{ name, text string }{
		{"a reply to no command", "+OK\r\n"},
		{"an error to no command", "-ERR max number of clients reached\r\n"},
		{"an array to no command", "*1\r\n$2\r\nOK\r\n"},
		{"no array to no command", "*-1\r\n"},
		{"a reply behind a null", "_ab-ERR\r\n"},
		{"a confirmation of no subscription", ">3\r\n+psubscribe\r\n$1\r\n*\r\n:1\r\n"},
		{"a negative length", ">2\r\n$-2\r\n"},
		{"a negative number of elements", ">2\r\n*-2\r\n"},
		{"a huge length", ">2\r\n$4611686018427387904\r\n"},
		{"a huge number of elements", ">4611686018427387904\r\n"},
		{"a huge map", ">1\r\n%4611686018427387904\r\n"},
		{"depth", ">1\r\n" + strings.Repeat("*1\r\n", 1000)},
		{"another protocol", "HTTP/1.0 408 Request Time-out\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := New(Options{URL: "redis://" + b.addr, Timeout: patience})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for range 2 { // the next connection works until it is broken, too
				ready := false
				if err := e.Listen(ctx, func() { ready = true; b.send(c.text) }, func(fleet.Message) {}); err == nil || !ready {
					t.Fatalf("ready: %v, error: %v", ready, err)
				}
			}
		})
	}
}

// TestFrames holds that the ends of messages are found at any cut of the stream.
func TestFrames(t *testing.T) {
	messages := []string{
		"+OK\r\n", "-ERR x\r\n", ":-1\r\n", ",1.5\r\n", "(123\r\n", "_\r\n", "#t\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "%0\r\n", "$0\r\n\r\n",
		"$5\r\na\r\nb\n\r\n", "=7\r\ntxt:a\r\n\r\n", "!3\r\nERR\r\n", "*2\r\n$4\r\npong\r\n$0\r\n\r\n", "~2\r\n+a\r\n*1\r\n_\r\n",
		"%2\r\n+proto\r\n:3\r\n$7\r\nmodules\r\n*1\r\n%1\r\n+a\r\n*0\r\n", ">3\r\n$10\r\npsubscribe\r\n+a long pattern of a subscription\r\n:1\r\n",
	}
	stream := []byte(strings.Join(messages, ""))
	for size := 1; size <= len(stream); size++ {
		var f frames
		var found []string
		message := ""
		for rest := stream; len(rest) > 0; {
			part := rest[:min(size, len(rest))]
			rest = rest[len(part):]
			for len(part) > 0 {
				n, ended, err := f.next(part)
				if err != nil {
					t.Fatalf("%q in %q: %v", part, message, err)
				}
				message += string(part[:n])
				part = part[n:]
				if ended {
					found, message = append(found, message), ""
				}
			}
		}
		if got, want := strings.Join(found, "|"), strings.Join(messages, "|"); got != want || message != "" {
			t.Fatalf("in parts of %d bytes:\n%q, want\n%q", size, got, want)
		}
		if f.kind != '>' || string(f.words[0]) != "psubscribe" || !bytes.HasPrefix([]byte("a long pattern of a subscription"), f.words[1]) || len(f.words[1]) != mostWord || f.count != 3 {
			t.Fatalf("in parts of %d bytes: %c %q, %d elements", size, f.kind, f.words, f.count)
		}
	}
}

// TestFramesRefuses holds that a message which no server sends, or which takes too much
// memory, is refused.
func TestFramesRefuses(t *testing.T) {
	for _, text := range []string{
		"\r\n", "x\r\n", "$x\r\n", "$1", "$3\n", "$-2\r\n", "%-1\r\n", ">-1\r\n", "_x\r\n", "#x\r\n", "|1\r\n", "$?\r\n", "*?\r\n", ".\r\n",
		"$67108864\r\n", "*1048577\r\n", "%600000\r\n", "*1\r\n>1\r\n", strings.Repeat("*1\r\n", mostDepth+1), "*" + strings.Repeat("1", 100),
		"*4\r\n" + strings.Repeat("*300000\r\n"+strings.Repeat("_\r\n", 300000), 4), "+" + strings.Repeat("x", mostBytes+1),
	} {
		var f frames
		var err error
		for rest := []byte(text); len(rest) > 0 && err == nil; {
			var n int
			n, _, err = f.next(rest)
			rest = rest[n:]
		}
		if want := text == "$1"; (err == nil) != want {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// TestDue holds which messages are replies to the commands before them.
func TestDue(t *testing.T) {
	const (
		subscribe = "*2\r\n$10\r\nPSUBSCRIBE\r\n$1\r\na\r\n"
		two       = "*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n"
		end       = "*2\r\n$12\r\nPUNSUBSCRIBE\r\n$1\r\na\r\n"
		ping      = "*1\r\n$4\r\nPING\r\n"
		three     = "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"
		confirm   = "3\r\n$10\r\npsubscribe\r\n$1\r\na\r\n:1\r\n"
		confirm2  = "3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
		message   = "4\r\n$8\r\npmessage\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n"
		ended     = "3\r\n$12\r\npunsubscribe\r\n$1\r\na\r\n:0\r\n"
		pong      = "*2\r\n$4\r\npong\r\n$0\r\n\r\n"
	)
	for _, c := range []struct {
		name, sent, received string
		want                 bool
	}{
		{"nothing", "", "", true},
		{"in order", ping + ping, "+PONG\r\n-ERR\r\n", true},
		{"too many", ping, "+PONG\r\n+PONG\r\n", false},
		{"RESP3", three + subscribe + ping, "%0\r\n>" + confirm + ">" + message + "+PONG\r\n>" + message, true},
		{"a message in RESP2's form", three + subscribe, "%0\r\n>" + confirm + "*" + message, false},
		{"RESP2", subscribe + ping, "*" + confirm + "*" + message + pong + "*" + message, true},
		{"an empty array in RESP2", subscribe, "*" + confirm + "*0\r\n", false},
		{"an array without a subscription", "", "*" + message, false},
		{"a reply in place of a confirmation", three + subscribe, "%0\r\n+QUEUED\r\n", false},
		{"an error in place of a confirmation", three + subscribe + ping, "%0\r\n-NOPERM\r\n+PONG\r\n", true},
		{"a confirmation in place of a reply", three + ping, "%0\r\n>" + confirm, false},
		{"two subscriptions", three + two + ping, "%0\r\n>" + confirm2 + ">" + confirm2 + "+PONG\r\n", true},
		{"an error after one of two", three + two, "%0\r\n>" + confirm2 + "-ERR\r\n", false},
		{"an end", three + end + ping, "%0\r\n>" + ended + "+PONG\r\n", true},
		{"a refused end", three + end + ping, "%0\r\n-NOPERM\r\n+PONG\r\n", true},
		{"a refused end with a reply more", three + end + ping, "%0\r\n-NOPERM\r\n+PONG\r\n+PONG\r\n", false},
	} {
		g := &guard{}
		if err := g.note([]byte(c.sent)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := g.check([]byte(c.received)); (err == nil) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
