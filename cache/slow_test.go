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
)

// TestSlowFills: each fill of SlowFill or longer leaves a line with the time that it
// waited for its turn and the time that it loaded, and a shorter fill leaves none. The
// line has the ID of the request that began the fill.
func TestSlowFills(t *testing.T) {
	const limit = 250 * time.Millisecond
	for name, tt := range map[string]struct {
		load time.Duration
		err  error
		want []string // of the first fill and of a fill that waits for its turn meanwhile
	}{
		"fast":   {load: limit/2 - time.Millisecond},
		"queued": {load: limit - 50*time.Millisecond, want: []string{"key=second lane=quick took=400ms waited=200ms loaded=200ms client=c request_id=id-second"}},
		"slow": {load: 5300 * time.Millisecond, want: []string{
			"key=first lane=quick took=5.3s waited=0s loaded=5.3s client=c request_id=id-first",
			"key=second lane=quick took=10.6s waited=5.3s loaded=5.3s client=c request_id=id-second",
		}},
		"failed": {load: limit, err: errors.New("lock wait"), want: []string{
			`key=first lane=quick took=250ms waited=0s loaded=250ms client=c request_id=id-first error="lock wait"`,
			`key=second lane=quick took=500ms waited=250ms loaded=250ms client=c request_id=id-second error="lock wait"`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				c := newCache(t, &fakeOrigin{}, Options{Fills: 1, SlowFill: limit, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				c.opts.Fill = func(context.Context, string) (Content, error) {
					time.Sleep(tt.load)
					return Content{Status: 200, Variants: []Variant{{Body: []byte("{}")}}}, tt.err
				}
				for _, key := range []string{"first", "second"} {
					go func() { _, _, _ = c.Await(WithRequest(t.Context(), &Request{ID: "id-" + key}), &Ref{Key: key}, "c") }()
					synctest.Wait()
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				var got []string
				for line := range strings.Lines(log.String()) {
					if _, attrs, ok := strings.Cut(strings.TrimSpace(line), `msg="slow fill" `); ok {
						got = append(got, attrs)
					}
				}
				if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
				}
			})
		})
	}
}

// TestSlowFillEndsInTheQueue: a fill whose time ends before its turn comes was never
// loading.
func TestSlowFillEndsInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		opts := Options{Fills: 1, SlowFill: time.Second, FillTimeout: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		c := newCache(t, &fakeOrigin{}, opts)
		c.opts.Fill = func(context.Context, string) (Content, error) {
			time.Sleep(10 * time.Second)
			return Content{}, errors.New("late")
		}
		for _, key := range []string{"first", "second"} {
			go func() { _, _, _ = c.Await(t.Context(), &Ref{Key: key}, "") }()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := `key=second lane=quick took=2s waited=2s loaded=0s error="context deadline exceeded"`; !strings.Contains(log.String(), want) {
			t.Errorf("%s\nwant %s", log.String(), want)
		}
	})
}
