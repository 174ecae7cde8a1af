package gate

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestSlots: a request over the limit waits for the end of another, and not
// longer than its time.
func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 2 * time.Second
		s := make(slots, 1)
		begun := time.Now()
		if !s.take(most) || time.Since(begun) != 0 {
			t.Error("a free slot was not taken immediately")
		}
		time.AfterFunc(time.Second, s.free)
		if took := s.take(most); !took || time.Since(begun) != time.Second {
			t.Errorf("%v after %v, want the slot as soon as it is free", took, time.Since(begun))
		}
		if took := s.take(most); took || time.Since(begun) != 3*time.Second {
			t.Errorf("%v after %v, want no slot", took, time.Since(begun))
		}
		s.free()
		if !s.take(0) {
			t.Error("the slot is not free again")
		}
	})
}
