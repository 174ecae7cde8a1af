package cache

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/phase"
)

// TestLoading holds that the fills under way are listed with their phase, their client and
// the requests that wait for them, the oldest first, and that nothing is left at the end.
func TestLoading(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	opts := times
	opts.Fills, opts.Lane = 7, laneOf
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		if all := c.Loading(); len(all) != 0 {
			t.Fatalf("%+v", all)
		}
		var visitors sync.WaitGroup
		ask := func(key, client string) {
			visitors.Go(func() {
				c.Await(WithRequest(t.Context(), &Request{ID: "id of " + client}), &Ref{Key: key}, client)
			})
			synctest.Wait()
			time.Sleep(time.Second)
		}
		begun := time.Now()
		for i := range 4 { // two may run
			ask(fmt.Sprintf("costly/athletes?%d", i), "a")
		}
		ask("costly/athletes?1", "b")
		ask("quick/teams?", "c")
		all := c.Loading()
		if len(all) != 5 {
			t.Fatalf("%+v", all)
		}
		for i, want := range []Load{
			{Key: "costly/athletes?0", Lane: Costly, Group: "athletes", Client: "a", Request: "id of a", Waiting: 1},
			{Key: "costly/athletes?1", Lane: Costly, Group: "athletes", Client: "a", Request: "id of a", Waiting: 2},
			{Key: "costly/athletes?2", Lane: Costly, Group: "athletes", Client: "a", Request: "id of a", Waiting: 1},
			{Key: "costly/athletes?3", Lane: Costly, Group: "athletes", Client: "a", Request: "id of a", Waiting: 1},
			{Key: "quick/teams?", Lane: Quick, Group: "teams", Client: "c", Request: "id of c", Waiting: 1},
		} {
			got, queued := all[i], begun.Add(time.Duration(i)*time.Second)
			if i == 4 {
				queued = queued.Add(time.Second) // b's request began none
			}
			running := !got.Began.IsZero()
			if !got.Queued.Equal(queued) || running && got.Began.Before(queued) {
				t.Errorf("%s: queued at %v, began at %v", got.Key, got.Queued, got.Began)
			}
			if queue := running && got.Phase == phase.Load || !running && got.Phase == phase.Queue; !queue {
				t.Errorf("%s: in phase %v, running %v", got.Key, got.Phase, running)
			}
			got.Queued, got.Began, got.Phase, got.Times = time.Time{}, time.Time{}, 0, phase.Times{}
			if got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
		running := 0
		for _, l := range all[:4] {
			if !l.Began.IsZero() {
				running++
			}
		}
		if s := c.Stats(); int64(running) != s.Lanes[Costly].Running || all[4].Began.IsZero() {
			t.Errorf("%d costly fills run, not %d", s.Lanes[Costly].Running, running)
		}
		close(o.gate)
		visitors.Wait()
		synctest.Wait()
		if all := c.Loading(); len(all) != 0 {
			t.Errorf("left over: %+v", all)
		}
	})
}
