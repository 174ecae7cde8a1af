package content

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestLull: a wait ends a moment after the last fill, immediately without fills, and in any
// case after a time, since fills may follow each other for ever.
func TestLull(t *testing.T) {
	for name, tt := range map[string]struct {
		fills func(*Lull)
		waits time.Duration
	}{
		"no fill":      {func(*Lull) {}, 0},
		"just ended":   {func(l *Lull) { l.Begin()() }, lullAfter},
		"ended before": {func(l *Lull) { l.Begin()(); time.Sleep(lullAfter) }, 0},
		"ends meanwhile": {func(l *Lull) {
			done := l.Begin()
			l.Begin()()
			time.AfterFunc(lullAfter/2, done)
		}, lullAfter + lullAfter/2},
		"never ends": {func(l *Lull) { l.Begin() }, lullMost},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l Lull
				tt.fills(&l)
				begun := time.Now()
				if l.Wait(); time.Since(begun) != tt.waits {
					t.Errorf("waited for %v, want %v", time.Since(begun), tt.waits)
				}
			})
		})
	}
	var none *Lull
	none.Wait()
}

// TestLullWatch: a watcher is called for the first fill and for the end of the last, from its
// begin until its end, beside other watchers.
func TestLullWatch(t *testing.T) {
	var l Lull
	var calls string
	watcher := func(name string) func(bool) {
		return func(fills bool) { calls += fmt.Sprintf("%s %v, ", name, fills) }
	}
	expect := func(step, want string) {
		t.Helper()
		if calls != want {
			t.Errorf("%s: calls %q, want %q", step, calls, want)
		}
		calls = ""
	}
	stopA := l.Watch(watcher("a"))
	expect("no fill", "")
	first := l.Begin()
	expect("first fill", "a true, ")
	second := l.Begin()
	first()
	expect("another fill", "")
	stopB := l.Watch(watcher("b"))
	expect("watch during a fill", "b true, ")
	second()
	expect("end of the last", "a false, b false, ")
	stopA()
	l.Begin()()
	expect("one watcher left", "b true, b false, ")
	stopA()
	stopB()
	l.Begin()()
	expect("no watcher left", "")
}
