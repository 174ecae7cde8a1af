package outage

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errDown = errors.New("the origin does not answer")

// WhileUp ends with its parent, with an outage, and when it is cancelled.
func TestWhileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(nil)
		ends := func(ctx context.Context) string {
			synctest.Wait()
			return strconv.FormatBool(ctx.Err() != nil)
		}
		parent, stop := context.WithCancel(t.Context())
		first, cancelFirst := o.WhileUp(t.Context())
		defer cancelFirst()
		second, cancelSecond := o.WhileUp(parent)
		defer cancelSecond()
		if ends(first)+ends(second) != "falsefalse" {
			t.Error("ended while the origin is up")
		}
		if stop(); ends(first)+ends(second) != "falsetrue" {
			t.Error("does not end with its parent alone")
		}
		if o.Down(errDown); ends(first) != "true" {
			t.Error("does not end with an outage")
		}
		late, cancelLate := o.WhileUp(t.Context())
		defer cancelLate()
		if ends(late) != "true" {
			t.Error("begins in an outage")
		}
		o.Up()
		next, cancelNext := o.WhileUp(t.Context())
		if ends(next) != "false" {
			t.Error("does not begin after an outage")
		}
		if cancelNext(); ends(next) != "true" {
			t.Error("can't be cancelled")
		}
	})
}

// An outage is logged once, and its end with its duration.
func TestOutageIsLogged(t *testing.T) {
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		o := New(slog.New(slog.NewTextHandler(&log, nil)))
		o.Up()
		o.Down(errDown)
		o.Down(errors.New("a later cause"))
		time.Sleep(90*time.Second + 400*time.Microsecond)
		o.Up()
		o.Up()
	})
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "level=ERROR") || !strings.Contains(lines[0], errDown.Error()) || !strings.HasSuffix(lines[1], "down_for=1m30s") {
		t.Errorf("logged:\n%s", log.String())
	}
}

// An outage keeps its first cause and its time until Up, which begins another era. An era
// that has ended reports no second outage.
func TestEras(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, start := New(nil), time.Now()
		if !o.Confirmed().IsZero() || o.Now() != nil || o.Era().Err() != nil {
			t.Error("confirmed or down at first")
		}
		first := o.Era()
		first.Down(errDown)
		time.Sleep(time.Second)
		o.Down(errors.New("a later cause"))
		if at, err := o.Since(); !at.Equal(start) || err != errDown || *o.Now() != (Cause{errDown, start}) {
			t.Errorf("down since %v: %v", at, err)
		}
		if err := first.Err(); !errors.Is(err, ErrDown) || !errors.Is(err, errDown) || o.Era() != first {
			t.Errorf("the era ended with %v", err)
		}
		select {
		case <-first.Done():
		default:
			t.Error("the era goes on")
		}
		o.Up()
		if up := o.Confirmed(); !up.Equal(start.Add(time.Second)) || o.Era() == first {
			t.Errorf("up at %v", up)
		}
		first.Down(errDown)
		if at, err := o.Since(); !at.IsZero() || err != nil || o.Era().Err() != nil {
			t.Errorf("an era that has ended reports an outage: %v, %v", at, err)
		}
		second := o.Era()
		time.Sleep(time.Second)
		if o.Up(); o.Era() != second || !o.Confirmed().Equal(start.Add(2*time.Second)) {
			t.Errorf("confirmed at %v", o.Confirmed())
		}
	})
}

// Each begin of an outage is reported with its cause, and each end with nil, once.
func TestOnChange(t *testing.T) {
	var changes []error
	o := New(nil)
	o.OnChange(func(cause error) { changes = append(changes, cause) })
	o.Up()
	for range 2 {
		o.Down(errDown)
		o.Down(errors.New("a later cause"))
		o.Up()
		o.Up()
	}
	if want := []error{errDown, nil, errDown, nil}; !slices.Equal(changes, want) {
		t.Errorf("%v, want %v", changes, want)
	}
}
