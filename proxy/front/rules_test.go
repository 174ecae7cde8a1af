package front

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRequestOfVarnish: without a template the VCL of config/deploy expects the
// request.
func TestRequestOfVarnish(t *testing.T) {
	req, err := Request{}.withDefaults().build(context.Background(), "http://front.example/purge", []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	if req.Method != "PURGE" || req.URL.String() != "http://front.example/purge" || req.Host != "front.example" || req.ContentLength != 0 {
		t.Errorf("%s %s of %s with %d bytes", req.Method, req.URL, req.Host, req.ContentLength)
	}
	if h := req.Header; len(h) != 2 || h.Get("Xkey-Purge") != "a b" || h.Get("User-Agent") != "xcri-proxy" {
		t.Errorf("%v", h)
	}
	req, err = Request{Header: []string{"host : other.example ", "X:{tags_comma}"}}.withDefaults().build(context.Background(), "http://front.example/", []string{"a", "b"})
	if err != nil || req.Host != "other.example" || req.Header.Get("Host") != "" || req.Header.Get("X") != "a,b" {
		t.Errorf("%v, %+v", err, req)
	}
}

// TestPurged: a purge has succeeded if the answer's status says so.
func TestPurged(t *testing.T) {
	for status, want := range map[int]bool{199: false, 200: true, 204: true, 299: true, 300: false, 404: false, 500: false} {
		client := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}, nil
		})}
		err := Request{}.withDefaults().send(context.Background(), client, "http://front.example/", []string{"a"})
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), fmt.Sprint(status)) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestPauses: the pause after a failure doubles from 100 ms to 5 s, and begins anew after a
// success.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Duration
		begun, fails := time.Now(), true
		p, err := New(Options{URLs: []string{"http://front.example/"}, Rounds: []time.Duration{}, Client: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(begun))
			if fails {
				return nil, errors.New("refused")
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(""))}, nil
		})}})
		if err != nil {
			t.Fatal(err)
		}
		defer running(p)()
		fail := func(now bool) {
			mu.Lock()
			defer mu.Unlock()
			fails, at = now, nil
		}
		pauses := func(d time.Duration) (between []time.Duration) {
			time.Sleep(d)
			mu.Lock()
			defer mu.Unlock()
			for i := range at[1:] {
				between = append(between, (at[i+1] - at[i]).Round(time.Millisecond))
			}
			return between
		}
		ms := func(pauses ...int) (all []time.Duration) {
			for _, pause := range pauses {
				all = append(all, time.Duration(pause)*time.Millisecond)
			}
			return all
		}
		p.Purge("a")
		if got, want := pauses(17*time.Second), ms(100, 200, 400, 800, 1600, 3200, 5000, 5000); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		fail(false)
		time.Sleep(10 * time.Second)
		if s := p.Stats()[0]; s.Requests != 1 || s.Tags != 1 || s.Pending != 0 || s.SentAt.IsZero() {
			t.Errorf("%+v", s)
		}
		fail(true)
		p.Purge("b")
		if got, want := pauses(time.Second), ms(100, 200, 400); !slices.Equal(got, want) {
			t.Errorf("after a success: %v, want %v", got, want)
		}
	})
}

// stopped returns the target of a Purger that does not run.
func stopped(t *testing.T, opts Options) (*Purger, *target) {
	t.Helper()
	opts.URLs = []string{"http://front.example/"}
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return p, p.targets[0]
}

// TestOrderOfPurges: new purges are sent before repetitions, at most 30 with a request. Then
// the next repetition is awaited.
func TestOrderOfPurges(t *testing.T) {
	_, to := stopped(t, Options{})
	now := time.Now()
	var old []string
	for i := range batch + 5 {
		old = append(old, fmt.Sprintf("a%02d", i))
	}
	to.add(old, now)
	due, _ := to.due(now)
	if len(due) != batch || due["a29"] == nil || due["a30"] != nil {
		t.Errorf("%d due", len(due))
	}
	to.done(due, now, nil)
	to.add([]string{"b"}, now)
	now = now.Add(400 * time.Millisecond)
	if due, _ = to.due(now); len(due) != batch || due["b"] == nil || due["a34"] == nil || due["a23"] == nil || due["a24"] != nil {
		t.Errorf("the new are not first: %v", due)
	}
	to.done(due, now, nil)
	for due, _ = to.due(now); len(due) > 0; due, _ = to.due(now) {
		to.done(due, now, nil)
	}
	if _, wait := to.due(now); wait != 400*time.Millisecond {
		t.Errorf("the next repetition comes after %v", wait)
	}
	if s := to.stats(); s.Pending != 0 || s.Repeats != batch+6 || !s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
	clear(to.pending)
	if due, wait := to.due(now); len(due) != 0 || wait != -1 {
		t.Errorf("%d due, wait %v", len(due), wait)
	}
}

// TestSince: a purge that is requested again waits since the first request, unless that was
// sent meanwhile. The figures have the longest wait.
func TestSince(t *testing.T) {
	_, to := stopped(t, Options{})
	begun := time.Now()
	to.add([]string{"a"}, begun)
	to.add([]string{"a", "b"}, begun.Add(time.Second))
	if s := to.stats(); s.Pending != 2 || !s.Since.Equal(begun) {
		t.Errorf("%+v", s)
	}
	due, _ := to.due(begun.Add(time.Second))
	to.done(map[string]*purge{"a": due["a"]}, begun.Add(2*time.Second), nil)
	if s := to.stats(); s.Pending != 1 || s.Repeats != 1 || !s.Since.Equal(begun.Add(time.Second)) {
		t.Errorf("%+v", s)
	}
	to.add([]string{"a"}, begun.Add(3*time.Second))
	to.add([]string{All}, begun.Add(4*time.Second))
	if s := to.stats(); s.Pending != 1 || s.Repeats != 0 || !s.Since.Equal(begun.Add(time.Second)) {
		t.Errorf("all: %+v", s)
	}
	to.done(map[string]*purge{All: to.pending[All]}, begun.Add(5*time.Second), nil)
	to.add([]string{All}, begun.Add(6*time.Second))
	if s := to.stats(); !s.Since.Equal(begun.Add(6 * time.Second)) {
		t.Errorf("all again: %+v", s)
	}
}

// TestNothingToPurge: a call without tags wakes nothing, and a full queue is widened by the
// first tag too many.
func TestNothingToPurge(t *testing.T) {
	p, to := stopped(t, Options{})
	if p.Purge(); len(to.wake) != 0 || len(to.pending) != 0 {
		t.Errorf("%d pending", len(to.pending))
	}
	for i := range maxPending {
		p.Purge(fmt.Sprint(i))
	}
	if len(to.pending) != maxPending || to.figures.Widened != 0 {
		t.Errorf("%d pending", len(to.pending))
	}
	if p.Purge("more"); len(to.pending) != 1 || to.pending[All] == nil || to.figures.Widened != 1 {
		t.Errorf("%d pending, widened %d times", len(to.pending), to.figures.Widened)
	}
}

// TestLongWindow: a window is named by its minutes up to two hours.
func TestLongWindow(t *testing.T) {
	from := time.Unix(1_700_000_040, 0)
	tags, ok := Window(from, from.Add((maxMinutes-1)*time.Minute))
	if !ok || len(tags) != maxMinutes || tags[0] != "xcri:minute:28333334" {
		t.Errorf("%d tags, %t", len(tags), ok)
	}
	if tags, ok := Window(from, from.Add(maxMinutes*time.Minute)); ok || tags != nil {
		t.Errorf("%d tags", len(tags))
	}
}

// TestPlainTags: letters, digits and a few signs of a tag stay; each other byte is escaped.
func TestPlainTags(t *testing.T) {
	for text, want := range map[string]string{
		"azAZ09/*-_.:~": "azAZ09/*-_.:~", "a b": "a%20b", "`{@[/:": "%60%7B%40%5B/:", "\u00e9,%": "%C3%A9%2C%25", "": "",
	} {
		if got := plain(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestHangingCache: a cache in front that does not answer fails a purge after 10 s.
func TestHangingCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})}
		begun := time.Now()
		err := Request{}.withDefaults().send(context.Background(), client, "http://front.example/", []string{"a"})
		if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// longAnswer is a body without an end. It counts the bytes read until it is closed.
type longAnswer struct {
	read   int
	closed bool
}

func (l *longAnswer) Read(b []byte) (int, error) { l.read += len(b); return len(b), nil }
func (l *longAnswer) Close() error               { l.closed = true; return nil }

// TestLongAnswer: of the answer to a purge at most 64 KiB are read, and its connection is
// free for the next.
func TestLongAnswer(t *testing.T) {
	body := &longAnswer{}
	client := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200, Body: body}, nil })}
	if err := (Request{}).withDefaults().send(context.Background(), client, "http://front.example/", []string{"a"}); err != nil || body.read != 64<<10 || !body.closed {
		t.Errorf("%v, %d bytes read, closed %t", err, body.read, body.closed)
	}
	if err := (Request{Method: "A B"}).send(context.Background(), client, "http://front.example/", nil); err == nil {
		t.Error("a request without a valid method is sent")
	}
	if most := newClient().Transport.(*http.Transport).MaxConnsPerHost; most != 2 {
		t.Errorf("%d connections to a cache in front", most)
	}
}

// TestRunWaits: Run ends once its last request has ended.
func TestRunWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		p, err := New(Options{URLs: []string{"http://front.example/"}, Client: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			<-gate
			return nil, errors.New("refused")
		})}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); p.Run(ctx) }()
		p.Purge("a")
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("Run ends before its request")
		default:
		}
		close(gate)
		<-ended
		if s := p.Stats()[0]; s.Failures != 0 || s.Pending != 1 {
			t.Errorf("the request of an ended run counts: %+v", s)
		}
	})
}

// TestNamesOfCaches: a cache in front is named by the host and the path of its URL.
func TestNamesOfCaches(t *testing.T) {
	for address, want := range map[string]string{
		"http://user:secret@a.example:81/p/?key=secret": "a.example:81/p", "/p": "invalid URL", "http://a b/": "invalid URL", "http://a": "a",
	} {
		if got := nameOf(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
	if got := string(Separated([]byte("a b c"), ",")); got != "a,b,c" {
		t.Error(got)
	}
	if tags, ok := Window(time.Time{}, time.Time{}); ok {
		t.Errorf("a window from an unknown time: %v", tags)
	}
}

// TestEarliest: of many purges, the figures have the longest wait, a purge of all answers
// waits since the first of them, and the next repetition is the first that is due.
func TestEarliest(t *testing.T) {
	_, to := stopped(t, Options{})
	begun := time.Now()
	for i := range 20 {
		to.add([]string{fmt.Sprint(i)}, begun.Add(time.Duration(i)*time.Second))
	}
	if s := to.stats(); s.Pending != 20 || !s.Since.Equal(begun) {
		t.Errorf("%+v", s)
	}
	if _, wait := to.due(begun.Add(-time.Minute)); wait != time.Minute {
		t.Errorf("the first is due after %v", wait)
	}
	to.add([]string{All}, begun.Add(time.Hour))
	if s := to.stats(); s.Pending != 1 || !s.Since.Equal(begun) {
		t.Errorf("all: %+v", s)
	}
}

// TestRequestedMeanwhile: a tag that is requested while its last request is under way stays
// pending.
func TestRequestedMeanwhile(t *testing.T) {
	_, to := stopped(t, Options{Rounds: []time.Duration{}})
	now := time.Now()
	to.add([]string{"a", "b"}, now)
	due, _ := to.due(now)
	to.add([]string{"a"}, now)
	if to.done(due, now, nil); len(to.pending) != 1 || to.pending["a"] == nil {
		t.Errorf("%d pending", len(to.pending))
	}
}

// TestReport: operators see the figures of each cache in front, with null for times that were
// not yet.
func TestReport(t *testing.T) {
	p, to := stopped(t, Options{Rounds: []time.Duration{time.Hour}})
	now := time.Now()
	p.Purge("a", "b")
	due, _ := to.due(time.Now())
	delete(due, "b")
	if r := p.Report(); len(r) != 1 || r[0].SentAt != nil || r[0].FailedAt != nil || r[0].PendingSince == nil {
		t.Errorf("%+v", r)
	}
	to.done(due, now, nil)
	to.done(due, now, errors.New("refused"))
	to.figures.Widened = 3
	r := p.Report()[0]
	if r.Name != "front.example" || r.Pending != 1 || r.Repeats != 1 || r.Requests != 1 || r.Tags != 1 || r.Failures != 1 || r.Widened != 3 || r.Error != "refused" || !r.SentAt.Equal(now) || !r.FailedAt.Equal(now) {
		t.Errorf("%+v", r)
	}
	var none *Purger
	if len(none.Report()) != 0 {
		t.Error("a report of nothing")
	}
}
