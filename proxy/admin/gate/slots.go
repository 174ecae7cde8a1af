package gate

import "time"

// slots limits concurrent work: each element of the channel is a slot in use.
type slots chan struct{}

// take waits for a slot for at most a time. It returns false if there was none.
func (s slots) take(most time.Duration) bool {
	select {
	case s <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case s <- struct{}{}:
		return true
	case <-timer.C:
		return false
	}
}

func (s slots) free() { <-s }
