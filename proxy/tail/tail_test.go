package tail

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// watched counts how often requests are needed.
type watched struct{ begun, ended int }

func (w *watched) watch() func() {
	w.begun++
	return func() { w.ended++ }
}

func request(target string) *api.Request { return &api.Request{Asked: api.Asked{Target: target}} }

// next reads a line, which may be empty.
func next(t *testing.T, from *bufio.Reader) string {
	t.Helper()
	text, err := from.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		Target string
		Lost   int64
	}
	if text != "\n" {
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	}
	if line.Lost > 0 {
		return fmt.Sprint(line.Lost, " lost")
	}
	return line.Target
}

// TestListen: requests are needed while there are listeners. Each listener gets the
// requests after its begin, and an empty line when there are none.
func TestListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watched
		h := New(w.watch)
		h.Add(request("/before"))
		a, err := h.Listen(Filter{})
		if err != nil {
			t.Fatal(err)
		}
		h.Add(request("/first"))
		b, _ := h.Listen(Filter{Slow: time.Second})
		h.Add(request("/second"))
		admin := request("/cache/stats")
		admin.Admin = true
		h.Add(admin)
		fromA, fromB := bufio.NewReader(a), bufio.NewReader(b)
		for _, want := range []string{"/first", "/second"} {
			if got := next(t, fromA); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		began := time.Now()
		if got := next(t, fromB); got != "" || time.Since(began) != heartbeat {
			t.Errorf("%q after %v", got, time.Since(began))
		}
		a.Close()
		a.Close()
		if w != (watched{1, 0}) {
			t.Errorf("one listens still: %+v", w)
		}
		b.Close()
		if w != (watched{1, 1}) {
			t.Errorf("without a listener: %+v", w)
		}
		if c, err := h.Listen(Filter{}); err != nil || w != (watched{2, 1}) {
			t.Errorf("%v, %+v", err, w)
		} else if h.Close(); w != (watched{2, 2}) {
			t.Errorf("closed: %+v", w)
		} else if _, err := c.Read(make([]byte, 10)); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
		if _, err := h.Listen(Filter{}); err == nil {
			t.Error("a closed Hub has a listener")
		}
	})
}

// TestSlowListener: a listener who does not read never blocks a request, and is shown how
// many requests were lost.
func TestSlowListener(t *testing.T) {
	var w watched
	h := New(w.watch)
	l, err := h.Listen(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	const added = queued + 77
	for i := range added {
		h.Add(request(fmt.Sprint("/", i)))
	}
	from := bufio.NewReader(l)
	got, lost := 0, false
	for got < queued || !lost {
		switch line := next(t, from); line {
		case "77 lost":
			lost = true
		case fmt.Sprint("/", got):
			got++
		default:
			t.Fatalf("%q, want /%d", line, got)
		}
	}
	h.Add(request("/later"))
	if line := next(t, from); line != "/later" {
		t.Errorf("%q", line)
	}
}

// TestTooManyListeners: their number is bounded.
func TestTooManyListeners(t *testing.T) {
	var w watched
	h := New(w.watch)
	var last *Listener
	for range maxListeners {
		l, err := h.Listen(Filter{})
		if err != nil {
			t.Fatal(err)
		}
		last = l
	}
	if _, err := h.Listen(Filter{}); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	last.Close()
	if _, err := h.Listen(Filter{}); err != nil {
		t.Error(err)
	}
}

func TestConcurrentUse(t *testing.T) {
	var w watched
	h := New(w.watch)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				l, err := h.Listen(Filter{})
				if err != nil {
					t.Error(err)
					return
				}
				h.Add(request("/x"))
				if _, err := l.Read(make([]byte, 100)); err != nil {
					t.Error(err)
				}
				l.Close()
			}
		})
	}
	all.Wait()
	if w.begun != w.ended || w.begun == 0 {
		t.Errorf("%+v", w)
	}
}

var names = Names{
	Outcomes: []string{"miss", "error"},
	RouteOf: func(name string) (string, error) {
		if strings.Contains(name, "nowhere") {
			return "", fmt.Errorf("route %q: there is none", name)
		}
		return name, nil
	},
}

// TestFilter: all fields must be met, and of each field one value.
func TestFilter(t *testing.T) {
	r := &api.Request{TookMS: 150, Outcome: "miss", Asked: api.Asked{Route: "/teams/"}, Sender: api.Sender{Client: "203.0.113.7"}}
	for text, want := range map[string]bool{
		"": true, "slow=150ms": true, "slow=151ms": false, "outcome=miss": true, "outcome=error, miss": true, "outcome=error": false,
		"route=/teams/": true, "route=/athletes/,/teams/": true, "route=/athletes/": false, "client=203.0.113.7": true, "client=203.0.113.0/24": true,
		"client=203.0.113.8": false, "client=2001:db8::/32": false, "slow=1ms;outcome=miss;route=/teams/;client=203.0.113.7": true, "slow=1ms;outcome=error": false,
	} {
		f, err := ParseFilter(fields(text), names)
		if err != nil || f.passes(r) != want {
			t.Errorf("%q: %v, %v", text, f, err)
		}
	}
	if f, _ := ParseFilter(fields("client=0.0.0.0/0"), names); f.passes(&api.Request{}) {
		t.Error("an unknown client is in a network")
	}
	for text, want := range map[string]string{
		"slow=fast": `slow: "fast"`, "slow=-1s": "slow", "outcome=miss,lost": `outcome "lost"`, "route=/nowhere": `route "/nowhere"`, "client=someone": `client: "someone"`,
	} {
		if _, err := ParseFilter(fields(text), names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// fields returns the fields of a text such as slow=1s;outcome=miss.
func fields(text string) func(string) string {
	return func(field string) string {
		for part := range strings.SplitSeq(text, ";") {
			if value, ok := strings.CutPrefix(part, field+"="); ok {
				return value
			}
		}
		return ""
	}
}
