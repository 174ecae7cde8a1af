package rarely

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestEvent: an event is logged once a minute.
func TestEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Event
		for _, step := range []struct {
			after time.Duration
			want  bool
		}{{0, true}, {0, false}, {time.Minute - 1, false}, {1, true}, {time.Minute - 1, false}, {2, true}} {
			time.Sleep(step.after)
			if e.Now(time.Minute) != step.want {
				t.Errorf("after %v: %t", step.after, !step.want)
			}
		}
	})
}

func Example() {
	var full Event
	for range 3 {
		if full.Now(time.Minute) {
			fmt.Println("the disk is full")
		}
	}
	// Output: the disk is full
}
