package steps

import (
	"database/sql/driver"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// handledTime is a Meter that keeps the time of handling.
type handledTime struct{ time.Duration }

func (*handledTime) Begin(Step)                { /* not of interest */ }
func (h *handledTime) Handled(d time.Duration) { h.Duration = d }

// TestHandlingIsCounted: the time in which rows are handled adds up, and errors pass.
func TestHandlingIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled handledTime
		fails := errors.New("fails")
		row, report := Of(WithMeter(t.Context(), &handled)).Each(func([]driver.Value) error { time.Sleep(time.Second); return fails })
		for range 3 {
			time.Sleep(time.Minute)
			if err := row(nil); err != fails {
				t.Error(err)
			}
		}
		if report(); handled.Duration != 3*time.Second {
			t.Errorf("%v", handled.Duration)
		}
	})
}

// TestWithoutAMeter: a read that no Meter follows handles its rows, and reports nothing.
func TestWithoutAMeter(t *testing.T) {
	fails := errors.New("fails")
	row, report := Of(t.Context()).Each(func([]driver.Value) error { return fails })
	if err := row(nil); err != fails {
		t.Error(err)
	}
	report()
}
