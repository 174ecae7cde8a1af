package cache

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/phase"
)

// reports spends a second in each of two phases of a fill and reports them.
func reports(ctx context.Context) {
	clock := phase.Of(ctx)
	clock.Begin(phase.Connection)
	time.Sleep(time.Second)
	clock.Begin(phase.Query)
	time.Sleep(time.Second)
}

// TestFillsOfRequests: a request gets the Clock of the fill that it waited for, whether it
// began the fill, joined it, or gave up while the fill went on.
func TestFillsOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &fakeOrigin{}
		c := newCache(t, o, Options{Fills: 1, WaitTimeout: 3500 * time.Millisecond})
		c.opts.Fill = func(ctx context.Context, key string) (Content, error) {
			reports(ctx)
			return o.fill(ctx, key)
		}
		type result struct {
			request Request
			outcome Outcome
			err     error
		}
		ask := func(key string) *result {
			r := &result{}
			go func() { _, r.outcome, r.err = c.Await(WithRequest(t.Context(), &r.request), &Ref{Key: key}, "") }()
			synctest.Wait()
			return r
		}
		first, joined, queued, late := ask("a"), ask("a"), ask("b"), ask("c")
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		if late.err != ErrWait {
			t.Fatal(late.err)
		}
		each := phase.Times{phase.Connection: time.Second, phase.Query: time.Second}
		behind := each
		behind[phase.Queue] = 2 * time.Second
		if got := late.request.Fill.Times(); got != (phase.Times{phase.Queue: 3500 * time.Millisecond}) {
			t.Errorf("still queued: %v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for name, tt := range map[string]struct {
			got     *result
			outcome Outcome
			want    phase.Times
		}{
			"first": {first, Miss, each}, "joined": {joined, Coalesced, each},
			"queued": {queued, Error, behind}, // gave up half a second before the end
		} {
			if got := tt.got.request.Fill.Times(); tt.got.outcome != tt.outcome || got != tt.want {
				t.Errorf("%s: %v, %v, want %v, %v", name, tt.got.outcome, got, tt.outcome, tt.want)
			}
		}
		hit := &Request{}
		if _, outcome, _ := c.Await(WithRequest(t.Context(), hit), &Ref{Key: "a"}, ""); outcome != Coalesced || hit.Fill != nil {
			t.Errorf("%v, %v: there was no fill to wait for", outcome, hit.Fill)
		}
	})
}

// TestSlowPhases: the line of a slow fill has the phases that were reported.
func TestSlowPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := newCache(t, &fakeOrigin{}, Options{SlowFill: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		c.opts.Fill = func(ctx context.Context, key string) (Content, error) {
			reports(ctx)
			return Content{}, errors.New("lost")
		}
		_, _, _ = c.Await(t.Context(), &Ref{Key: "a"}, "")
		if want := `key=a lane=quick took=2s waited=0s loaded=2s connection=1s query=1s error=lost`; !strings.Contains(log.String(), want) {
			t.Errorf("%s\nwant %s", log.String(), want)
		}
	})
}
