package load

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestCheckLater holds that every body passed to put is checked before work returns,
// and that the caller of put may reuse the bytes.
func TestCheckLater(t *testing.T) {
	c := newChecker()
	b := make([]byte, 2)
	for i := range 100 {
		if copy(b, "{}"); i%2 == 0 {
			copy(b, "<>")
		}
		if !c.put(received{target: fmt.Sprint(i), body: b}) {
			t.Fatal("no room")
		}
	}
	copy(b, "??")
	ended := make(chan struct{})
	close(ended)
	var failed []string
	c.work(ended, func(target string, err error) {
		if !errors.Is(err, errBody) {
			t.Error(err)
		}
		failed = append(failed, target)
	})
	if len(failed) != 50 || failed[49] != "98" || c.bytes.Load() != 0 {
		t.Errorf("failed %v, %d bytes left", failed, c.bytes.Load())
	}
}

// TestCheckHasNoRoom holds that put refuses a body that does not fit.
func TestCheckHasNoRoom(t *testing.T) {
	half := []byte(strings.Repeat(" ", maxLater/2))
	c := newChecker()
	for i, want := range []bool{true, true, false, false} {
		if got := c.put(received{body: half}); got != want {
			t.Errorf("body %d: %t", i, got)
		}
	}
	if !c.put(received{}) {
		t.Error("no room for an empty one")
	}
	c = newChecker()
	for range maxBodies {
		c.put(received{})
	}
	if c.put(received{}) {
		t.Errorf("room for more than %d", maxBodies)
	}
}
