package machine

import (
	"fmt"
	"strings"
)

// Watch describes the state of the machine between its calls.
type Watch struct{ last Share }

// NewWatch returns a Watch that begins now.
func NewWatch() (*Watch, error) {
	now, err := ReadShare()
	return &Watch{now}, err
}

// State returns the share of the cores' time that other machines took since the last call,
// and the load average of the last minute.
func (w *Watch) State() string {
	lost, err := w.last.Lost()
	if err == nil {
		w.last, err = ReadShare()
	}
	if err != nil {
		return err.Error()
	}
	load, _, _ := strings.Cut(Read("/proc/loadavg"), " ")
	return fmt.Sprintf("%.0f %% stolen, load %s", 100*lost, load)
}
