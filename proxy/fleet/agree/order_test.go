package agree

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
)

// TestOrderOfDecisions: a decision that a member reads does not follow a later decision, which
// its own vote brings while the read is under way. The reply of an ended session counts for nothing.
func TestOrderOfDecisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session, end := context.WithCancel(t.Context())
		var mu sync.Mutex // of last
		last, reply := "1", make(chan struct{})
		var held []string
		r := New(Options{
			Session: func() context.Context { return session },
			Read: func(context.Context) (Decision, bool) {
				mu.Lock()
				d := Decision{Name: last}
				mu.Unlock()
				<-reply
				return d, true
			},
			Cast: func(_ context.Context, v Vote) (Result, bool) {
				mu.Lock()
				defer mu.Unlock()
				if v.Step == Ready {
					last = v.Name
				}
				return Result{Decision: Decision{Name: last}, All: true}, true
			},
			Hold: func(data []byte) bool { held = append(held, string(data)); return true }, Wake: func() {}, Announce: func(string) {},
		})
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(session) }()
		r.Decided("1")
		synctest.Wait()
		published := make(chan error, 1)
		go func() { published <- r.Agree(t.Context(), Decision{Name: "2", Data: []byte("of 2")}, "1") }()
		synctest.Wait()
		close(reply)
		if err := <-published; err != nil || r.Known() != "2" || r.Round() == nil || r.Round().Name != "2" || len(held) != 2 {
			t.Errorf("%v: known %s, round %+v, held %q", err, r.Known(), r.Round(), held)
		}
		r.Published("2")
		end()
		<-ended
		if up := r.learn(session, func() (Decision, bool) { return Decision{Name: "1"}, true }); up || r.Known() != "2" {
			t.Errorf("up %t, known %s", up, r.Known())
		}
	})
}
