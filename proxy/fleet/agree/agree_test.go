package agree

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestLateMember: a member that learns of a decision after all others hold requests for it,
// because its heartbeat was late, does not wait for them.
func TestLateMember(t *testing.T) {
	for held, want := range map[string]time.Duration{"new": 0, "older": time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			session := t.Context()
			r := New(Options{
				Session: func() context.Context { return session },
				Cast: func(context.Context, Vote) (Result, bool) {
					return Result{Decision: Decision{Name: "new"}}, true // no other votes are left
				},
				Hold: func([]byte) bool { return true }, Wake: func() {}, HoldTime: time.Hour,
			})
			r.AllHold(held)
			begun := time.Now()
			if err := r.Agree(session, Decision{Name: "new"}, ""); err != nil || time.Since(begun) != want {
				t.Errorf("all hold for %s: %v after %s, want %s", held, err, time.Since(begun), want)
			}
		})
	}
}
