package events

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// TestListIsBounded holds that the latest events are kept, the oldest first, with their
// times.
func TestListIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l List
		begun := time.Now()
		const added = Kept + 7
		for i := range added {
			l.Add(Publish, fmt.Sprint(i))
			time.Sleep(time.Second)
		}
		all := l.All()
		if len(all) != Kept {
			t.Fatalf("%d events", len(all))
		}
		for i, e := range all {
			n := added - Kept + i
			if want := (Event{begun.Add(time.Duration(n) * time.Second), Publish, fmt.Sprint(n)}); e != want {
				t.Fatalf("event %d is %+v, want %+v", i, e, want)
			}
		}
		all[0].Text = "changed by the caller"
		if l.All()[0].Text == all[0].Text {
			t.Error("the caller got the list's own events")
		}
	})
}

// TestLongText holds that a text is cut between two characters.
func TestLongText(t *testing.T) {
	var l List
	for shift := range 3 {
		l.Add(Outage, strings.Repeat("x", shift)+strings.Repeat("€", maxText))
	}
	l.Add(Outage, strings.Repeat("x", maxText))
	for i, e := range l.All() {
		cut := i < 3
		if !utf8.ValidString(e.Text) || len(e.Text) > maxText+len("…") || strings.HasSuffix(e.Text, "…") != cut {
			t.Errorf("%d bytes: %q", len(e.Text), e.Text)
		}
	}
}

// TestNilList holds that code without a list can report events.
func TestNilList(t *testing.T) {
	var l *List
	l.Restore([]Event{{Kind: Start}})
	l.Add(Start, "")
	if got := l.All(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestConcurrentUse(t *testing.T) {
	var l List
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range Kept {
				l.Add(Purge, "")
				l.All()
			}
		})
	}
	all.Wait()
	if n := len(l.All()); n != Kept {
		t.Errorf("%d events", n)
	}
}
