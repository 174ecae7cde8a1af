package current

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// days are generations that hold the entries of some days.
type days string

func (d days) ID() string { return string(d) }

func (d days) Holds(e *entry.Entry) bool {
	for _, day := range d {
		if string(day) == e.Generation {
			return true
		}
	}
	return false
}

func of(day string) *entry.Entry { return &entry.Entry{Content: entry.Content{Generation: day}} }

// On hold an entry is fresh if both generations hold it. A second hold replaces the first.
func TestHold(t *testing.T) {
	c := New()
	if c.Hold(days("1")); c.Load().Held() || c.Load().Name() != "" || c.Load().Coming() != nil {
		t.Error("held before the first publish")
	}
	c.Publish(&slot.State{Generation: days("12")})
	at := c.Load().At
	for _, next := range []string{"23", "24"} {
		c.Hold(days(next))
		s := c.Load()
		if !s.Held() || s.Published != days("12") || s.Coming() != days(next) || s.Name() != next || s.At != at {
			t.Errorf("%+v", s)
		}
		for day, want := range map[string]bool{"1": false, "2": true, "3": false, "4": false} {
			if s.Generation.Holds(of(day)) != want {
				t.Errorf("%s holds %s: %t", next, day, !want)
			}
		}
	}
	c.Publish(&slot.State{Generation: days("24")})
	if s := c.Load(); s.Held() || s.Coming() != days("24") || !s.Generation.Holds(of("4")) {
		t.Errorf("%+v", s)
	}
}

// A reader waits for the publish, and follows it, for a limited time.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ahead = 3 * time.Second
		c := New()
		took := func(wait func()) time.Duration {
			start := time.Now()
			wait()
			return time.Since(start)
		}
		open := func() { c.Open(t.Context()) }
		if d := took(open); d != 0 {
			t.Errorf("%s without a hold", d)
		}
		c.Publish(&slot.State{Generation: days("1")})
		c.Hold(days("2"))
		if d := took(open); d != HoldTime {
			t.Errorf("%s of a hold without a publish", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if d := took(func() { c.Open(ctx) }); d != time.Millisecond {
			t.Errorf("%s of a request that ends", d)
		}
		for _, tt := range []struct {
			publish   string
			after     time.Duration
			overtaken bool
		}{{"2", time.Second, false}, {"3", time.Second, true}, {"", ahead, false}} {
			c.Publish(&slot.State{Generation: days("1")})
			before, overtaken := c.Load(), false
			if tt.publish != "" {
				time.AfterFunc(time.Second/2, func() { c.Hold(days(tt.publish)) })
				time.AfterFunc(time.Second, func() { c.Publish(&slot.State{Generation: days(tt.publish)}) })
			}
			if d := took(func() { overtaken = c.Follow(t.Context(), ahead, before, of("2")) }); d != tt.after || overtaken != tt.overtaken {
				t.Errorf("%q: %s, %t", tt.publish, d, overtaken)
			}
		}
		if d := took(func() { c.Follow(t.Context(), ahead, c.Load(), of("1")) }); d != 0 {
			t.Errorf("%s of a fresh entry", d)
		}
	})
}

// TestHolds: waits count while they last, and their time afterwards. Without a wait nothing
// counts.
func TestHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		c.Publish(&slot.State{Generation: days("1")})
		c.Open(t.Context())
		if h := c.Holds(); h != (Holds{}) {
			t.Errorf("without a wait: %+v", h)
		}
		c.Hold(days("2"))
		for range 3 {
			go c.Open(t.Context())
		}
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		if h := c.Holds(); h != (Holds{Now: 3, Total: 3}) {
			t.Errorf("during the waits: %+v", h)
		}
		c.Publish(&slot.State{Generation: days("2")})
		synctest.Wait()
		if h := c.Holds(); h != (Holds{Total: 3, Time: 750 * time.Millisecond}) {
			t.Errorf("after the waits: %+v", h)
		}
	})
}
