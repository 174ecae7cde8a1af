package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/site"
	"github.com/lewistv/xcri-proxy/store"
)

// countingOrigin returns an origin that counts the requests to the database.
func countingOrigin(asked *atomic.Int64) *fakeOrigin {
	return &fakeOrigin{
		generation: func() (*store.Generation, error) { asked.Add(1); return &store.Generation{}, nil },
		ping:       func() error { asked.Add(1); return nil },
		run: func(_ context.Context, q store.Query) (store.Answer, error) {
			asked.Add(1)
			return store.Answer{Status: 200, Body: fmt.Appendf(nil, `{"path":"%s"}`, q.Path)}, nil
		},
	}
}

// maintain posts a change of the maintenance mode and returns the reported state.
func maintain(t testing.TB, base, body string) (state api.MaintenanceState) {
	t.Helper()
	a := post(t, base, "/cache/maintenance", body)
	if a.into(t, &state); a.status != 200 {
		t.Fatalf("%s: %d %s", body, a.status, a.body)
	}
	return state
}

// siteDir makes a folder with a small site.
func siteDir(t testing.TB) string {
	dir := t.TempDir()
	for name, text := range map[string]string{"index.html": "<title>the site</title>", "assets/app-0123abcd.js": "'the script'"} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestMaintenance: every request gets the documented answer while maintenance mode is
// on, and none of them reaches the database.
func TestMaintenance(t *testing.T) {
	var asked atomic.Int64
	files, err := site.New(site.Options{Dir: siteDir(t), Variants: content.OfFile})
	if err != nil {
		t.Fatal(err)
	}
	for name, static := range map[string]*site.Site{"with a site": files, "without": nil} {
		t.Run(name, func(t *testing.T) {
			p, base := start(t, Options{Origin: countingOrigin(&asked), BasePath: "/iz/xcri", Site: static, Generations: generation.Options{Interval: time.Hour}})
			for _, target := range []string{"/teams/", "/health"} {
				get(t, base, target)
			}
			maintain(t, base, `{"on":true,"message":"a new season"}`)
			awaitLook(t, p, p.generations.Poll(nil)) // a poll that had begun before
			before := asked.Load()
			t.Run("people", func(t *testing.T) { checkPeople(t, base) })
			t.Run("files", func(t *testing.T) { checkFiles(t, base, static != nil) })
			t.Run("the API", func(t *testing.T) { checkAPI(t, base) })
			if n := asked.Load() - before; n != 0 {
				t.Errorf("the database was asked %d times", n)
			}
			maintain(t, base, `{"on":false}`)
			if a := get(t, base, "/teams/?limit=3"); a.status != 200 || a.outcome() != "miss" {
				t.Errorf("after it: %d %s", a.status, a.outcome())
			}
			if a := get(t, base, "/iz/xcri/", "Accept", "text/html"); strings.Contains(a.plainBody(t), "right back") {
				t.Error("the notice is there after its end")
			}
		})
	}
}

func checkPeople(t *testing.T, base string) {
	browser := []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}
	for target, headers := range map[string][]string{
		"/iz/xcri": nil, "/iz/xcri/": browser, "/iz/xcri/teams?division=2030": nil, "/iz/xcri/index.html": nil,
		"/iz/xcri/athletes/12": browser, "/iz/xcri/photo.png": browser, "/iz/xcri/apiary": browser,
	} {
		a := get(t, base, target, headers...)
		if a.status != 503 || a.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(a.body, "a new season") {
			t.Errorf("%s: %d %s", target, a.status, a.header.Get("Content-Type"))
		}
		for header, want := range map[string]string{
			"Retry-After": "1800", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "strict-origin-when-cross-origin", "Content-Security-Policy": maintenance.NewPage().Policy(),
		} {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s: %q", target, header, got)
			}
		}
		if h := ask(t, base, "HEAD", target, headers...); h.status != 503 || h.body != "" || h.header.Get("Content-Length") != fmt.Sprint(len(a.body)) {
			t.Errorf("HEAD %s: %d %v", target, h.status, h.header)
		}
	}
}

func checkFiles(t *testing.T, base string, served bool) {
	for target, there := range map[string]bool{"/iz/xcri/assets/app-0123abcd.js": true, "/iz/xcri/assets/gone-0123abcd.css": false} {
		want := 503
		if served {
			want = map[bool]int{true: 200, false: 404}[there]
		}
		a := get(t, base, target, "Accept", "*/*")
		if a.status != want || strings.Contains(a.plainBody(t), "right back") {
			t.Errorf("%s: %d, want %d", target, a.status, want)
		}
		if retry := a.header.Get("Retry-After"); (retry == "1800") != (want == 503) {
			t.Errorf("%s: Retry-After %q", target, retry)
		}
	}
	if a := ask(t, base, "POST", "/iz/xcri/", "Content-Length", "0"); a.status != 503 || a.header.Get("Content-Type") != reply.JSON {
		t.Errorf("POST: %d %s", a.status, a.body)
	}
}

func checkAPI(t *testing.T, base string) {
	for target, want := range map[string]struct {
		status  int
		outcome string
		body    string
	}{
		"/teams/":              {200, "hit", `{"path":"/teams/"}`},
		"/iz/xcri/api/teams":   {200, "hit", `{"path":"/teams/"}`},
		"/teams/?limit=7":      {503, "error", "Please check back in about 30 minutes."},
		"/teams/?limit=x":      {422, "", "limit"},
		"/iz/xcri/api/nowhere": {503, "", "closed for maintenance"},
		"/docs":                {503, "", "closed for maintenance"},
		"/health":              {200, "", `"database_connected":true,"database_tables":{"path"`},
		"/":                    {200, "", `"status":"healthy"`},
		"/livez":               {200, "", "alive"},
		"/readyz":              {200, "", "ready"},
		"/metrics":             {200, "", "\nxcri_maintenance 1\n"},
		"/cache/stats":         {200, "", `"message": "a new season"`},
		"/cache/maintenance":   {200, "", `"on": true`},
		"/iz/xcri/cache/":      {200, "", "id=\"maintenance-ask\""},
	} {
		a := get(t, base, target, "Accept", "text/html,*/*")
		if a.status != want.status || a.outcome() != want.outcome || !strings.Contains(a.plainBody(t), want.body) {
			t.Errorf("%s: %d %s %.200s", target, a.status, a.outcome(), a.plainBody(t))
		}
		if html := strings.Contains(a.header.Get("Content-Type"), "html"); html && target != "/iz/xcri/cache/" {
			t.Errorf("%s: %s", target, a.header.Get("Content-Type"))
		}
		if retry := a.header.Get("Retry-After"); (retry == "1800") != (a.status == 503) {
			t.Errorf("%s: Retry-After %q", target, retry)
		}
	}
	if a := post(t, base, "/feedback/", `{}`); a.status != 503 || !strings.Contains(a.body, "closed for maintenance") {
		t.Errorf("POST /feedback/: %d %s", a.status, a.body)
	}
}

// TestMaintenanceChanges covers the requests that an operator may send.
func TestMaintenanceChanges(t *testing.T) {
	var log proxytest.Log
	p, base := start(t, Options{Origin: &fakeOrigin{}, Kept: Kept{OnState: func(State) error { return errors.New("the disk is full") }},
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if s := maintain(t, base, `{"on":false}`); s.On || s.Warning != "" {
		t.Errorf("off, and was: %+v", s)
	}
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	first := maintain(t, base, fmt.Sprintf(`{"on":true,"until":%q,"message":"“soon” & <b>"}`, until.Format(time.RFC3339)))
	if !first.On || first.Since == nil || !first.Until.Equal(until) || first.Message != "“soon” & <b>" || first.Warning != "the disk is full" {
		t.Errorf("on: %+v", first)
	}
	var shown api.MaintenanceState
	get(t, base, "/cache/maintenance").into(t, &shown)
	if !shown.Until.Equal(until) || shown.Warning != "" {
		t.Errorf("shown: %+v", shown)
	}
	if s := p.Stats().Maintenance; s == nil || !s.Until.Equal(until) || s.Message != first.Message {
		t.Errorf("stats: %+v", s)
	}
	if s := maintain(t, base, `{"on":true}`); !s.Since.Equal(*first.Since) || s.Until != nil || s.Message != "" {
		t.Errorf("on again: %+v", s)
	}
	if s := maintain(t, base, `{"on":false}`); s.On || s.Since != nil || s.Warning != "the disk is full" || p.Stats().Maintenance != nil {
		t.Errorf("off: %+v", s)
	}
	for text, n := range map[string]int{"maintenance mode is on": 2, "maintenance mode is off": 1} {
		if got := strings.Count(log.String(), text); got != n {
			t.Errorf("%q is %d times in the log:\n%s", text, got, log.String())
		}
	}
}

func TestMaintenanceRefusals(t *testing.T) {
	p, base := start(t, Options{Origin: &fakeOrigin{}})
	for body, want := range map[string]string{
		``:                               "on: true or false is wanted",
		`{"until":"x"}`:                  "on: true or false is wanted",
		`{"on":false,"message":"x"}`:     "only for on",
		`{"on":true,"until":"tomorrow"}`: `until "tomorrow": want a time as in 2026-`,
		`{"on":true,"until":"2020-01-01T00:00:00Z"}`:               "until 2020-01-01T00:00:00Z is in the past",
		`{"on":true,"until":"9020-01-01T00:00:00Z"}`:               "more than a year away",
		`{"on":true,"message":"a\nb"}`:                             "control characters",
		`{"on":true,"message":"a\u0000b"}`:                         "control characters",
		`{"on":true,"message":"` + strings.Repeat("é", 501) + `"}`: "501 characters are too many, the limit is 500",
	} {
		a := post(t, base, "/cache/maintenance", body)
		var told struct{ Detail string }
		if a.into(t, &told); a.status != 422 || !strings.Contains(told.Detail, want) {
			t.Errorf("%.60s: %d %s", body, a.status, a.body)
		}
	}
	if a := post(t, base, "/cache/maintenance", `{"on":1}`); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := post(t, base, "/cache/maintenance", `{"on":true}`, "X-Forwarded-For", "1.2.3.4"); a.status != 403 {
		t.Errorf("from elsewhere: %d", a.status)
	}
	if p.Maintenance() != nil {
		t.Error("a refused request turned it on")
	}
	maintain(t, base, `{"on":true,"message":"`+strings.Repeat("é", 500)+`"}`)
}

// TestMaintenanceAfterRestart: a proxy that starts in maintenance mode serves saved
// answers, is ready with them, and sends no request to the database.
func TestMaintenanceAfterRestart(t *testing.T) {
	var before, asked atomic.Int64
	first, _ := start(t, Options{Origin: countingOrigin(&before), Generations: generation.Options{Interval: time.Hour}})
	awaitLook(t, first, first.generations.Poll([]string{"/teams/"}))
	saved := first.cache.Export()
	if len(saved) != 1 || saved[0].Key != "/teams/" {
		t.Fatal("not warm")
	}
	var log proxytest.Log
	p, err := New(Options{Origin: countingOrigin(&asked), Kept: Kept{Saved: saved, State: State{Maintenance: &maintenance.Period{Since: time.Now(), Message: "still"}}}, Generations: generation.Options{Interval: time.Millisecond},
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	again := listen(t, p)
	<-p.generations.Polled()
	for target, want := range map[string]int{"/teams/": 200, "/teams/?limit=9": 503, "/readyz": 200, "/health": 200} {
		if a := get(t, again, target); a.status != want {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the database was asked %d times", n)
	}
	if text := log.String(); strings.Count(text, "maintenance mode is on still") != 1 {
		t.Errorf("log: %s", text)
	}
}

// TestMaintenanceKeepsOtherState: a change of the maintenance mode leaves the rest of
// the state file unchanged.
func TestMaintenanceKeepsOtherState(t *testing.T) {
	var kept atomic.Pointer[State]
	p, base := start(t, Options{Origin: &fakeOrigin{}, Kept: Kept{OnState: func(s State) error { kept.Store(&s); return nil }}})
	if err := p.state.change(func(s *State) { s.Sources = map[string]string{"": "store"} }); err != nil {
		t.Fatal(err)
	}
	if s := maintain(t, base, `{"on":true,"message":"m"}`); s.Warning != "" {
		t.Errorf("%+v", s)
	}
	if s := kept.Load(); s.Maintenance == nil || s.Maintenance.Message != "m" || s.Sources[""] != "store" {
		t.Errorf("kept: %+v", s)
	}
	maintain(t, base, `{"on":false}`)
	if s := kept.Load(); s.Maintenance != nil || s.Sources[""] != "store" {
		t.Errorf("kept: %+v", s)
	}
}
