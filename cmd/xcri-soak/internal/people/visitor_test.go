package people

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-soak/internal/judge"
)

const key = "/teams/"

// visitTo has a visitor send a request to a handler, while the record's states have had
// the bodies old and new, of which new is published. It returns the counts and the log.
func visitTo(t *testing.T, answer http.HandlerFunc, before ...func(*Visitors)) (*Counts, string) {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	record := judge.New(time.Hour)
	for _, body := range []string{"old", "new"} {
		record.Begin(judge.State{Name: body, Generation: body, Keys: map[string]judge.Key{key: {Answer: judge.AnswerOf(200, []byte(body)), Generation: body}}})
		record.Committed()
	}
	record.Published("new", true)
	var log strings.Builder
	v := NewVisitors(Options{Base: server.URL, Record: record, Dir: t.TempDir(), Count: &Counts{}, Down: &Windows{}, Killed: &Windows{},
		Note: func(format string, args ...any) { fmt.Fprintf(&log, format+"\n", args...) }})
	for _, f := range before {
		f(v)
	}
	one := v.newVisitor(0, 1)
	one.ask(t.Context(), Question{Target: key, Key: key, Warm: true})
	entries, err := os.ReadDir(v.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if kept := len(entries) > 0; kept != (v.Count.Sum("verdict: ") > 0) {
		t.Errorf("a body is kept: %v", kept)
	}
	return v.Count, log.String()
}

// sends returns a handler that answers with a status, an outcome and a body.
func sends(status int, outcome, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Status", "xcri-proxy; detail="+outcome)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// The checker finds each kind of wrong answer, and names the key and the states.
func TestWrongAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string // the name of a count; empty for a right answer
	}{
		"right":                {sends(200, "hit", "new"), ""},
		"a byte more":          {sends(200, "hit", "new "), "verdict: wrong"},
		"no body":              {sends(200, "hit", ""), "verdict: wrong"},
		"another status":       {sends(404, "miss", "new"), "verdict: wrong"},
		"from before":          {sends(200, "hit", "old"), "verdict: older"},
		"stale, from before":   {sends(200, "stale", "old"), "verdict: older"},
		"a miss from before":   {sends(200, "miss", "old"), "verdict: older"},
		"broken gzip":          {coded("gzip", "new"), "failed: "},
		"overloaded":           {sends(503, "error", "new"), "failed: status 503"},
		"too many":             {sends(429, "error", "new"), "failed: status 429"},
		"cut off":              {cut, "failed: connection closed"},
		"an unexpected coding": {coded("deflate", "new"), "failed: "},
	} {
		t.Run(name, func(t *testing.T) {
			count, log := visitTo(t, tt.answer)
			if bad := count.Sum("verdict: ") + count.Sum("failed"); (bad > 0) != (tt.want != "") || count.Sum(tt.want) == 0 {
				t.Errorf("%s%s", count, log)
			}
			if strings.HasPrefix(tt.want, "verdict") && (!strings.Contains(log, key) || !strings.Contains(log, "published 1")) {
				t.Errorf("log: %s", log)
			}
		})
	}
}

func coded(coding, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", coding)
		fmt.Fprint(w, body)
	}
}

// cut announces more than it sends.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "10")
	fmt.Fprint(w, "new")
}

// A failure counts as a failure of a cached key if the key has been answered since the
// cache last dropped it.
func TestFailuresOfCachedKeys(t *testing.T) {
	proven := func(v *Visitors) { v.proven.Store(key, v.drops.Load()) }
	dropped := func(v *Visitors) { v.Dropped() }
	killed := func(v *Visitors) { v.Killed.Begin() }
	closed := func(v *Visitors) { v.Down.Begin() }
	for name, tt := range map[string]struct {
		before []func(*Visitors)
		want   string
	}{
		"never seen":                 {nil, "failed: status 503"},
		"cached":                     {[]func(*Visitors){proven}, "failed although cached"},
		"dropped":                    {[]func(*Visitors){proven, dropped}, "failed: status 503"},
		"answered after the drop":    {[]func(*Visitors){proven, dropped, proven}, "failed although cached"},
		"while a process is killed":  {[]func(*Visitors){proven, killed}, "failed while a process was killed: status 503"},
		"a status between processes": {[]func(*Visitors){proven, closed}, "failed although cached"},
	} {
		t.Run(name, func(t *testing.T) {
			count, log := visitTo(t, sends(503, "error", ""), tt.before...)
			if count.Sum(tt.want) != 1 || tt.want != "failed although cached" && count.Sum("failed although") > 0 {
				t.Errorf("%s%s", count, log)
			}
		})
	}
}

// A copy that the proxy confirms is judged as the body that the visitor has.
func TestNotModified(t *testing.T) {
	var mu sync.Mutex
	body := "new"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.Header().Set("Cache-Status", "xcri-proxy; hit; detail=hit")
			w.WriteHeader(http.StatusNotModified)
			return
		}
		sends(200, "hit", body)(w, r)
	}))
	defer server.Close()
	record := judge.New(time.Hour)
	for _, body := range []string{"new", "newest"} {
		record.Begin(judge.State{Generation: body, Keys: map[string]judge.Key{key: {Answer: judge.AnswerOf(200, []byte(body)), Generation: body}}})
		record.Committed()
		if body == "new" {
			record.Published("new", true)
		}
	}
	v := NewVisitors(Options{Base: server.URL, Record: record, Dir: t.TempDir(), Count: &Counts{}, Down: &Windows{}, Killed: &Windows{}, Note: t.Logf})
	one := v.newVisitor(0, 1)
	for v.Count.Sum("304") == 0 {
		one.ask(t.Context(), Question{Target: key, Key: key})
	}
	if bad := v.Count.Sum("verdict: "); bad > 0 {
		t.Errorf("%d", bad)
	}
	record.Published("newest", true)
	confirmed := v.Count.Sum("304")
	for v.Count.Sum("304") == confirmed {
		one.ask(t.Context(), Question{Target: key, Key: key})
	}
	if v.Count.Sum("verdict: older") == 0 {
		t.Error("an old copy was confirmed")
	}
}
