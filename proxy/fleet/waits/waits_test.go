package waits

import (
	"fmt"
	"testing"
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
