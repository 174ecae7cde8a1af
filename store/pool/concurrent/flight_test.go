package concurrent

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Concurrent failures share a call.
func TestFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Flight
		calls := 0
		failed := errors.New("failed")
		results := make(chan error, 10)
		for range 10 {
			go func() {
				results <- f.Do(func() error {
					calls++
					time.Sleep(time.Second)
					return failed
				})
			}()
		}
		for range 10 {
			if err := <-results; err != failed {
				t.Errorf("got %v", err)
			}
		}
		if calls != 1 {
			t.Errorf("%d calls", calls)
		}
		if err := f.Do(func() error { return nil }); err != nil {
			t.Errorf("the next call has the old error %v", err)
		}
	})
}

// TestMoment: a moment is the zero time until it is set, and after it is cleared.
func TestMoment(t *testing.T) {
	var m Moment
	at := time.Now()
	m.Set(at)
	if got := m.Get(); got != at {
		t.Errorf("%v, want %v", got, at)
	}
	if m.Clear(); !m.Get().IsZero() {
		t.Errorf("%v after it is cleared", m.Get())
	}
}
