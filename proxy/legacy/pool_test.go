package legacy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// The number of connections, including idle connections, never exceeds MaxConns,
// although a POST gets a new connection.
func TestMostConnections(t *testing.T) {
	const most = 4
	gate := make(chan struct{})
	var waiting sync.WaitGroup
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		waiting.Done()
		<-gate
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{}`)
	}))
	defer s.Close()
	c := newClient(t, s.URL, Options{MaxConns: most})
	for _, method := range []string{"GET", "POST", "GET", "POST"} {
		var all sync.WaitGroup
		waiting.Add(most)
		for range most {
			all.Go(func() {
				if err := c.Forward(visit(method, "/feedback/"), at("/feedback/")); err != nil {
					t.Error(err)
				}
			})
		}
		waiting.Wait()
		if s := c.Stats(); s.Open != most || s.InUse != most {
			t.Errorf("%s: %+v", method, s)
		}
		for range most {
			gate <- struct{}{}
		}
		all.Wait()
	}
	c.Close()
	if s := c.Stats(); s.Open != 0 {
		t.Errorf("%d connections are open after Close", s.Open)
	}
}

// Unexpected bytes on an idle connection, and its end, are detected before the next
// request is sent: no request gets the answer to another request.
func TestStrayBytes(t *testing.T) {
	for name, stray := range map[string]string{
		"an answer without a request": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"other\": 1}",
		"a byte":                      "H",
		"the end":                     "",
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						in := bufio.NewReader(conn)
						for {
							req, err := http.ReadRequest(in)
							if err != nil {
								return
							}
							body := fmt.Sprintf(`{"asked":%q}`, req.RequestURI)
							fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
							<-time.After(20 * time.Millisecond) // the answer has arrived
							io.WriteString(conn, stray)
							if stray == "" {
								return
							}
						}
					}()
				}
			}()
			c := newClient(t, "http://"+ln.Addr().String(), Options{})
			for i := range 3 {
				target := fmt.Sprint("/", i)
				a, err := c.Fetch(t.Context(), target)
				if err != nil || !strings.Contains(string(a.Body), target) {
					t.Errorf("the answer to %s: %s %v", target, a.Body, err)
				}
				// The stray bytes have arrived once the kept connection is not quiet.
				await(t, "stray bytes", func() bool {
					c.pool.mu.Lock()
					defer c.pool.mu.Unlock()
					return len(c.pool.idle) == 0 || !isQuiet(c.pool.idle[0].Conn)
				})
			}
			if s := c.Stats(); s.Resent != 0 {
				t.Errorf("%d requests were sent twice", s.Resent)
			}
		})
	}
}
