package wire

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/budget"
)

// headOf returns the start of a request whose head has size bytes so far, and the rest of
// the head.
func headOf(size int) (start, end string) {
	start = "GET /hit HTTP/1.1\r\nHost: a\r\nX: "
	return start + strings.Repeat("x", size-len(start)), "\r\n\r\n"
}

// answersOf reads a connection to its end and parses the answers.
func answersOf(conn net.Conn) []answer {
	var all bytes.Buffer
	io.Copy(&all, conn) // an error means that the connection is closed
	answers, _ := answersIn(all.String())
	return answers
}

// TestLongHeadsShareABudget: a head that is longer than usual takes room in the budget of
// the requests' bodies until it is answered, and gets a 503 if there is no room. A usual
// head needs none.
func TestLongHeadsShareABudget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		heads := budget.New(4 * MaxHead)
		s := testServer(func(o *Options) { o.Bodies = heads })
		var mu sync.Mutex
		statuses := map[int]int{}
		var all sync.WaitGroup
		finish := make(chan struct{})
		begin := func(n, size int) {
			for range n {
				start, end := headOf(size)
				all.Go(func() {
					client, server := net.Pipe()
					go s.ServeConn(server)
					go func() {
						client.Write([]byte(start)) // an error shows in the answer
						<-finish
						client.Write([]byte(end))
						client.Write([]byte("GET /hit HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
					}()
					answers := answersOf(client)
					mu.Lock()
					defer mu.Unlock()
					for _, a := range answers {
						statuses[a.status]++
					}
				})
			}
			synctest.Wait()
		}
		begin(5, usualHead-4)
		if used := heads.Stats().Used; used != 0 {
			t.Errorf("usual heads take %d bytes", used)
		}
		begin(7, usualHead+1)
		if used := heads.Stats().Used; used != 4*MaxHead || statuses[fasthttp.StatusServiceUnavailable] != 3 {
			t.Errorf("%d bytes taken, answers %v", used, statuses)
		}
		close(finish)
		all.Wait()
		if statuses[200] != 2*(5+4) || statuses[503] != 3 || len(statuses) != 2 {
			t.Errorf("answers %v", statuses)
		}
		if used := heads.Stats().Used; used != 0 {
			t.Errorf("%d bytes are left", used)
		}
	})
}

// TestLongHeadsInAPipeline: heads of any length in a pipeline are answered in order, and
// the room of a long head is free once the requests that arrived with it are answered.
func TestLongHeadsInAPipeline(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		heads := budget.New(2 * MaxHead)
		s := testServer(func(o *Options) { o.Bodies = heads })
		client, server := net.Pipe()
		go s.ServeConn(server)
		var want []string
		var pipeline strings.Builder
		for i, size := range []int{100, 5000, MaxHead - 4, 100, usualHead, usualHead - 1, 9000, 100} {
			start, end := headOf(size)
			if i%2 == 1 { // for the handler
				start = "POST /" + strings.TrimPrefix(start, "GET /")
				end = "\r\nContent-Length: 2\r\n\r\nok"
				if len(start)+len(end) > MaxHead {
					t.Fatal("too long")
				}
				want = append(want, `POST /hit "ok"`)
			} else {
				want = append(want, "hit")
			}
			pipeline.WriteString(start + end)
		}
		go client.Write([]byte(pipeline.String()))
		answers := make(chan []answer, 1)
		go func() { answers <- answersOf(client) }()
		synctest.Wait()
		if used := heads.Stats().Used; used != 0 {
			t.Errorf("%d bytes are taken on an idle connection", used)
		}
		client.Close()
		got := <-answers
		if len(got) != len(want) {
			t.Fatalf("%d answers, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i].status != 200 || got[i].body != want[i] {
				t.Errorf("%d: %d %q, want %q", i, got[i].status, got[i].body, want[i])
			}
		}
	})
}
