package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestFillEndsWithItsLastWaiter: a costly fill ends once all requests for it have left,
// whether it runs or waits for its turn, and a request that comes later gets an answer.
// Other fills go on and are stored.
func TestFillEndsWithItsLastWaiter(t *testing.T) {
	for _, lane := range []string{"costly", "heavy", "quick"} {
		t.Run(lane, func(t *testing.T) {
			o := &fakeOrigin{gate: gated}
			opts := times
			opts.Fills, opts.Lane = 4, laneOf
			bubble(t, o, opts, func(t *testing.T, c *Cache) {
				ends := lane == "costly"
				r := &Ref{Key: lane + "/athletes?1"}
				var all sync.WaitGroup
				visit := func(stay time.Duration) {
					all.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), stay)
						defer cancel()
						if _, _, err := c.Await(ctx, r, ""); !errors.Is(err, ErrGone) {
							t.Errorf("after %v: %v", stay, err)
						}
					})
				}
				visit(time.Second)
				visit(3 * time.Second)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if s := c.Stats(); s.Filling != 1 || s.Abandoned != 0 {
					t.Errorf("one request still waits: %+v", s)
				}
				all.Wait()
				synctest.Wait()
				s := c.Stats()
				if ended := s.Filling == 0 && s.Abandoned == 1; ended != ends || s.Failures != 0 {
					t.Errorf("nothing waits any more: %+v", s)
				}
				close(o.gate)
				synctest.Wait()
				if e, _ := c.Lookup(r); (e == nil) != ends {
					t.Errorf("stored: %v", e)
				}
				if _, _, err := c.Get(r); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestAbandonedFillFailsNoRequest: a request that arrives while a fill is being abandoned
// gets an answer.
func TestAbandonedFillFailsNoRequest(t *testing.T) {
	o := &fakeOrigin{}
	o.shape = func(*Entry) { time.Sleep(3 * time.Millisecond) }
	opts := times
	opts.Fills, opts.Lane = 4, laneOf
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		random := rand.New(rand.NewPCG(1, 2))
		var all sync.WaitGroup
		for i := range 3000 {
			r, leaves, stay := &Ref{Key: "costly/athletes?" + strconv.Itoa(i/50)}, i%3 > 0, time.Duration(random.IntN(5))*time.Millisecond
			all.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if leaves {
					time.AfterFunc(stay, cancel)
				}
				if _, _, err := c.Await(ctx, r, ""); err != nil && (!leaves || !errors.Is(err, ErrGone)) {
					t.Error(leaves, err)
				}
			})
			time.Sleep(time.Duration(random.IntN(300)) * time.Microsecond)
		}
		all.Wait()
		if s := c.Stats(); s.Failures != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestClientLeavesCostlySlots: the searches of one client leave a slot to others.
func TestClientLeavesCostlySlots(t *testing.T) {
	o := &fakeOrigin{}
	o.shape = func(e *Entry) {
		if e.Key != "costly/teams?other" {
			time.Sleep(9 * time.Second)
		}
	}
	opts := times
	opts.Fills, opts.Lane, opts.WaitTimeout, opts.FillTimeout = 7, laneOf, time.Hour, time.Hour
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				if _, _, err := c.Await(t.Context(), &Ref{Key: []string{"costly/athletes?", "costly/teams?"}[i%2] + strconv.Itoa(i)}, "192.0.2.1"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		if _, _, err := c.Await(t.Context(), &Ref{Key: "costly/teams?other"}, "192.0.2.2"); err != nil || time.Since(start) > 0 {
			t.Errorf("waited %v: %v", time.Since(start), err)
		}
		all.Wait()
	})
}
