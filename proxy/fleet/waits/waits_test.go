package waits

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestFilled: a message wakes the requests of its name that joined before it, and no other.
func TestFilled(t *testing.T) {
	w := New()
	a, leaveA := w.Join("a")
	again, leaveAgain := w.Join("a")
	b, leaveB := w.Join("b")
	w.Filled("none")
	leaveA()
	if closed(a) || closed(again) {
		t.Error("woken without a message")
	}
	w.Filled("a")
	later, leaveLater := w.Join("a")
	if !closed(a) || !closed(again) || closed(b) || closed(later) {
		t.Errorf("%t %t %t %t", closed(a), closed(again), closed(b), closed(later))
	}
	leaveAgain()
	leaveB()
	w.Filled("a")
	if !closed(later) {
		t.Error("the leave of an earlier request has removed a later one")
	}
	leaveLater()
	if n := len(w.of); n != 0 {
		t.Errorf("%d names are kept", n)
	}
}

// Requests that wait are counted, and the first is reported.
func ExampleWaits_Block() {
	w := New()
	one, two := w.Block(), w.Block()
	<-w.Begun()
	one()
	fmt.Println(w.Any())
	two()
	fmt.Println(w.Any())
	// Output:
	// true
	// false
}

// TestAwait: a wait ends with the first of the message, the end of the other member's lease, and
// the end of its context.
func TestAwait(t *testing.T) {
	for name, tt := range map[string]struct{ filled, left, end, want time.Duration }{
		"the message":   {time.Second, time.Minute, time.Hour, time.Second},
		"the lease":     {time.Hour, time.Second, time.Hour, time.Second + time.Millisecond},
		"the context":   {time.Hour, time.Minute, time.Second, time.Second},
		"no lease left": {time.Hour, 0, time.Hour, time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tt.end)
			defer cancel()
			filled := make(chan struct{})
			message := time.AfterFunc(tt.filled, func() { close(filled) })
			defer message.Stop()
			begun := time.Now()
			Await(ctx, filled, tt.left)
			if took := time.Since(begun); took != tt.want {
				t.Errorf("%s: %s, want %s", name, took, tt.want)
			}
		})
	}
}

// TestRenew: a lease is renewed before it ends, until the context ends.
func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		begun, last, calls := time.Now(), time.Now(), 0
		Renew(ctx, 4*time.Second, func() {
			if now := time.Now(); now.Sub(last) != time.Second {
				t.Errorf("renewed after %s", now.Sub(last))
			}
			last = time.Now()
			calls++
		})
		if took := time.Since(begun); calls != 10 || took != 10*time.Second+time.Millisecond {
			t.Errorf("%d renewals in %s", calls, took)
		}
	})
}
