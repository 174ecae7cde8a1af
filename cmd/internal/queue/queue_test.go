package queue

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// writer records its calls. It fails after room bytes while full is set.
type writer struct {
	calls []string
	full  bool
	room  int
	gate  chan struct{} // each call waits until it is closed; nil for no wait
}

func (w *writer) Write(b []byte) (int, error) {
	if w.gate != nil {
		<-w.gate
	}
	if !w.full {
		w.calls = append(w.calls, string(b))
		return len(b), nil
	}
	n := min(w.room, len(b))
	w.calls = append(w.calls, string(b[:n]))
	w.room -= n
	return n, errors.New("no space left on device")
}

func (w *writer) text() string { return strings.Join(w.calls, "") }

// TestLinesAreWrittenTogether: lines that wait are written with few calls, each of which
// ends with a line, in their order and all of them.
func TestLinesAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := writer{gate: make(chan struct{})}
		q := New(&w, Options{Bytes: 1 << 20})
		var want strings.Builder
		for i := range 5000 {
			line := fmt.Sprintf("line %d %s\n", i, strings.Repeat("x", i%100))
			want.WriteString(line)
			if n, err := q.Write([]byte(line)); n != len(line) || err != nil {
				t.Fatal(n, err)
			}
		}
		long := strings.Repeat("y", 2*maxWrite) + "\n"
		want.WriteString(long)
		_, _ = q.Write([]byte(long))
		close(w.gate)
		q.Close(time.Minute)
		if w.text() != want.String() {
			t.Error("other lines were written")
		}
		for _, call := range w.calls {
			if !strings.HasSuffix(call, "\n") || len(call) > maxWrite && call != long {
				t.Errorf("a write of %d bytes", len(call))
			}
		}
		if len(w.calls) > 20 || q.Dropped() != 0 {
			t.Errorf("%d calls, %d lines dropped", len(w.calls), q.Dropped())
		}
	})
}

// TestTornLine: after a write that ended within a line, the next line begins on its own,
// and exactly the lines that are not complete count as dropped.
func TestTornLine(t *testing.T) {
	for room, want := range map[int]struct {
		text    string
		dropped int64
	}{
		0:  {"three\n", 2},
		2:  {"on\nthree\n", 2},
		4:  {"one\nthree\n", 1},
		6:  {"one\ntw\nthree\n", 1},
		99: {"one\ntwo\nthree\n", 0}, // the error came after the lines
	} {
		synctest.Test(t, func(t *testing.T) {
			w := writer{full: true, room: room}
			q := New(&w, Options{Bytes: 1000})
			_, _ = q.Write([]byte("one\ntwo\n")) // both in one call
			synctest.Wait()
			if room == 2 {
				w.room = 0
				_, _ = q.Write([]byte("lost\n"))
				synctest.Wait()
				want.dropped++
			}
			w.full = false
			_, _ = q.Write([]byte("three\n"))
			q.Close(time.Minute)
			if w.text() != want.text || q.Dropped() != want.dropped {
				t.Errorf("room for %d: %q, %d dropped; want %q, %d", room, w.text(), q.Dropped(), want.text, want.dropped)
			}
		})
	}
}

// TestNoReport: without a Report nothing but the lines is written.
func TestNoReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w writer
		q := New(&w, Options{Bytes: 10})
		_, _ = q.Write([]byte("12345678\n"))
		synctest.Wait()
		_, _ = q.Write(append(bytes.Repeat([]byte("x"), 10), '\n')) // finds no room ever
		_, _ = q.Write([]byte("87654321\n"))
		q.Close(time.Minute)
		_, _ = q.Write([]byte("late\n"))
		if w.text() != "12345678\n87654321\n" || q.Dropped() != 2 {
			t.Errorf("%q, %d dropped", w.text(), q.Dropped())
		}
	})
}

// TestCloseKeepsLastLine: a line that is written just before Close is written out, also
// while the queue is busy with the report of dropped lines.
func TestCloseKeepsLastLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := writer{full: true}
		var q *Queue
		q = New(&w, Options{Bytes: 100, Report: func(n int64) []byte {
			w.full = false
			q.Write([]byte("last\n"))
			go q.Close(time.Minute)
			for !q.isClosed() {
				time.Sleep(time.Millisecond)
			}
			return fmt.Appendf(nil, "dropped %d\n", n)
		}})
		synctest.Wait() // q is set
		q.Write([]byte("lost\n"))
		<-q.ended
		if w.text() != "dropped 1\nlast\n" || q.Dropped() != 1 {
			t.Errorf("%q, %d dropped", w.text(), q.Dropped())
		}
	})
}
