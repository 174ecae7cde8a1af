package people

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Crowd are clients that do harm. Their answers are not judged.
type Crowd struct {
	Addr  string
	Lists []string // targets of large answers
	Count *Counts
}

// Attacks are the kinds of harm. Each ends with its context.
var Attacks = []struct {
	Name string
	Do   func(*Crowd, context.Context, *rand.Rand)
}{
	{"flood of connections", (*Crowd).connections},
	{"hostile searches", (*Crowd).searches},
	{"searches of one client", (*Crowd).searchesOfOne},
	{"slow readers", (*Crowd).slowReaders},
	{"half-open connections", (*Crowd).halfOpen},
	{"oversized heads", (*Crowd).oversizedHeads},
	{"slow bodies", (*Crowd).slowBodies},
}

// many runs do on n goroutines with a connection each, again and again until ctx ends.
func (c *Crowd) many(ctx context.Context, name string, n int, do func(net.Conn)) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for ctx.Err() == nil {
				conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", c.Addr)
				if err != nil {
					Sleep(ctx, 100*time.Millisecond)
					continue
				}
				c.Count.Add("attack: " + name)
				stop := context.AfterFunc(ctx, func() { conn.Close() })
				do(conn)
				stop()
				conn.Close()
				Sleep(ctx, 20*time.Millisecond)
			}
		})
	}
	all.Wait()
}

// connections opens idle connections.
func (c *Crowd) connections(ctx context.Context, _ *rand.Rand) {
	c.many(ctx, "idle connection", 400, func(conn net.Conn) { io.Copy(io.Discard, conn) })
}

// halfOpen sends a part of a request.
func (c *Crowd) halfOpen(ctx context.Context, _ *rand.Rand) {
	c.many(ctx, "half a request", 100, func(conn net.Conn) {
		io.WriteString(conn, "GET /teams/ HTTP/1.1\r\nHost: a\r\nX-")
		io.Copy(io.Discard, conn)
	})
}

func (c *Crowd) oversizedHeads(ctx context.Context, _ *rand.Rand) {
	head := "GET /teams/ HTTP/1.1\r\nHost: a\r\nX-Large: " + strings.Repeat("x", 100_000) + "\r\n\r\n"
	c.many(ctx, "oversized head", 10, func(conn net.Conn) {
		io.WriteString(conn, head)
		io.Copy(io.Discard, conn)
	})
}

// slowBodies sends a request body byte by byte.
func (c *Crowd) slowBodies(ctx context.Context, _ *rand.Rand) {
	c.many(ctx, "slow body", 20, func(conn net.Conn) {
		io.WriteString(conn, "POST /feedback/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n")
		for {
			if _, err := io.WriteString(conn, " "); err != nil || !Sleep(ctx, 100*time.Millisecond) {
				return
			}
		}
	})
}

// slowReaders requests large lists and reads a few bytes a second.
func (c *Crowd) slowReaders(ctx context.Context, r *rand.Rand) {
	var requests strings.Builder
	for range 40 { // pipelined
		fmt.Fprintf(&requests, "GET %s HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n", c.Lists[r.IntN(len(c.Lists))])
	}
	c.many(ctx, "slow reader", 50, func(conn net.Conn) {
		conn.(*net.TCPConn).SetReadBuffer(4096)
		io.WriteString(conn, requests.String())
		for b := make([]byte, 16); ; {
			if _, err := conn.Read(b); err != nil || !Sleep(ctx, 250*time.Millisecond) {
				return
			}
		}
	})
}

// searches sends searches that no cache holds, from many addresses.
func (c *Crowd) searches(ctx context.Context, r *rand.Rand) {
	c.search(ctx, r.Uint64(), func(n int) string { return fmt.Sprintf("192.0.2.%d", 1+n%250) })
}

// searchesOfOne sends them from one address.
func (c *Crowd) searchesOfOne(ctx context.Context, r *rand.Rand) {
	c.search(ctx, r.Uint64(), func(int) string { return "192.0.2.77" })
}

func (c *Crowd) search(ctx context.Context, seed uint64, address func(n int) string) {
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for n := 0; ctx.Err() == nil; n++ {
				target := fmt.Sprintf("/athletes/?season_year=2025&limit=50000&offset=%d&search=%%25%x%%25", r.IntN(2000), r.Uint32()%4096)
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Addr+target, nil)
				if err != nil {
					panic(err) // the target is well-formed
				}
				req.Header.Set("X-Forwarded-For", address(i*1000+n))
				resp, err := client.Do(req)
				if err != nil {
					Sleep(ctx, 50*time.Millisecond)
					continue
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				c.Count.Add(fmt.Sprintf("attack: search, status %d", resp.StatusCode))
			}
		})
	}
	all.Wait()
}
