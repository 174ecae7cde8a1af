package concurrent

import "sync"

// Flight lets concurrent callers share one call.
type Flight struct {
	mu    sync.Mutex
	under *call
}

type call struct {
	done chan struct{}
	err  error
}

// Do returns the error of fn. While a call is under way, Do calls nothing and returns the
// error of that call.
func (f *Flight) Do(fn func() error) error {
	f.mu.Lock()
	c := f.under
	if c != nil {
		f.mu.Unlock()
		<-c.done
		return c.err
	}
	c = &call{done: make(chan struct{})}
	f.under = c
	f.mu.Unlock()
	c.err = fn()
	f.mu.Lock()
	f.under = nil
	f.mu.Unlock()
	close(c.done)
	return c.err
}
