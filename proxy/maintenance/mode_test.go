package maintenance

import (
	"bytes"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestModeKeepsAndReportsEachChange: each change is kept and logged, OnEnd is
// called only at the end, and a change holds although it could not be kept.
func TestModeKeepsAndReportsEachChange(t *testing.T) {
	var log bytes.Buffer
	var kept []*Period
	ended := 0
	full := errors.New("the disk is full")
	m := New(Options{
		Keep:  func(p *Period) error { kept = append(kept, p); return full },
		OnEnd: func() { ended++ }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	since := time.Date(2026, 11, 23, 15, 0, 0, 0, eastern)
	for i, change := range []struct {
		next  *Period
		on    bool
		ended int
	}{
		{nil, false, 0},
		{&Period{Since: since}, true, 0},
		{&Period{Since: since.Add(time.Hour), Message: "longer"}, true, 0},
		{nil, false, 1},
		{nil, false, 1},
	} {
		if err := m.Set(change.next); !errors.Is(err, full) {
			t.Errorf("change %d: %v", i, err)
		}
		if m.On() != change.on || ended != change.ended || !reflect.DeepEqual(m.Period(), kept[i]) {
			t.Errorf("change %d: %v, ended %d times, kept %v", i, m.Period(), ended, kept[i])
		}
	}
	if p := kept[2]; !p.Since.Equal(since) || p.Message != "longer" {
		t.Errorf("a period that replaces another: %+v", p)
	}
	for text, n := range map[string]int{"mode is on": 2, "mode is off": 1, "until=\"not said\"": 3} {
		if got := strings.Count(log.String(), text); got != n {
			t.Errorf("%q is %d times in the log, want %d:\n%s", text, got, n, log.String())
		}
	}
}

// TestModeResumes: the period of an earlier run holds, without a change.
func TestModeResumes(t *testing.T) {
	earlier := &Period{Since: time.Now(), Message: "still"}
	m := New(Options{Period: earlier, Keep: func(*Period) error { t.Error("kept again"); return nil }})
	if m.Period() != earlier || !m.On() {
		t.Errorf("%+v", m.Period())
	}
}

func TestNewPeriod(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 0, 30, 5, eastern)
	for _, tt := range []struct{ until, message, wrong string }{
		{"", "", ""},
		{"2026-11-23T20:00:31Z", "soon", ""},
		{"2027-11-24T20:00:30Z", strings.Repeat("é", maxMessage), ""},
		{"2026-11-23T20:00:30Z", "", "is in the past"},
		{"2027-11-24T20:00:31Z", "", "more than a year away"},
		{"tomorrow", "", `until "tomorrow": want a time`},
		{"", strings.Repeat("é", maxMessage+1), "501 characters are too many, the limit is 500"},
		{"", "a\x7fb", "control characters"},
		{"", "a\xffb", "not UTF-8"},
	} {
		p, err := NewPeriod(tt.until, tt.message, now)
		switch {
		case tt.wrong != "":
			if err == nil || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("%+v: %v", tt, err)
			}
		case err != nil || p.Since.Nanosecond() != 0 || !p.Since.Equal(now.Truncate(time.Second)) || p.Message != tt.message || (p.Until == nil) != (tt.until == ""):
			t.Errorf("%+v: %+v, %v", tt, p, err)
		}
	}
}
