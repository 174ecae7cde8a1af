package phase

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestClock holds that each phase has the time between its Begin and the next, that a
// phase may come again, and that nothing counts after End.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, began := Start(Queue), time.Now()
		pass := func(next Phase, after time.Duration) {
			time.Sleep(after)
			c.Begin(next)
		}
		pass(Connection, time.Second)
		pass(Query, 2*time.Second)
		pass(Rows, 3*time.Second)
		pass(Query, 4*time.Second)
		time.Sleep(5 * time.Second)
		want := Times{Queue: time.Second, Connection: 2 * time.Second, Query: 8 * time.Second, Rows: 4 * time.Second}
		if got := c.Times(); got != want || c.Now() != Query {
			t.Errorf("under way: %v in %v, want %v", got, c.Now(), want)
		}
		c.Move(Rows, Encode, time.Second)
		c.Move(Legacy, Encode, time.Second) // has taken no time that could be moved
		want[Rows], want[Encode] = 3*time.Second, time.Second
		c.End()
		pass(Legacy, time.Minute)
		time.Sleep(time.Minute)
		c.End()
		if got := c.Times(); got != want || want.Total() != 15*time.Second {
			t.Errorf("ended: %v, want %v", got, want)
		}
		if !c.Started().Equal(began) {
			t.Errorf("started at %v, want %v", c.Started(), began)
		}
	})
}

// TestNoClock holds that code runs without a Clock, too.
func TestNoClock(t *testing.T) {
	c := Of(context.Background())
	c.Begin(Query)
	c.Move(Query, Rows, time.Second)
	c.End()
	if c != nil || c.Times() != (Times{}) || c.Now() != Load || !c.Started().IsZero() {
		t.Errorf("%v", c)
	}
	if c := Start(Queue); Of(With(context.Background(), c)) != c {
		t.Error("another Clock")
	}
}

// TestNames holds that each phase has a name of its own.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for p := range Phases {
		if p.String() == "" || seen[p.String()] {
			t.Errorf("phase %d is %q", p, p)
		}
		seen[p.String()] = true
	}
}

func TestConcurrentUse(t *testing.T) {
	c := Start(Queue)
	var all sync.WaitGroup
	all.Go(func() {
		for range 1000 {
			c.Begin(Query)
			c.Begin(Rows)
			c.Move(Rows, Encode, 1)
		}
		c.End()
	})
	for range 100 {
		if times := c.Times(); times.Total() < 0 || c.Now() >= Phases {
			t.Fatalf("%v", times)
		}
	}
	all.Wait()
}
