package logging

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// gate is a writer that blocks until it is opened.
type gate struct {
	open chan struct{}
	mu   sync.Mutex
	bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.Buffer.Write(p)
}

func decode(t *testing.T, text string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, m)
	}
	return lines
}

// A reader that does not read blocks neither a caller nor Close, however much is
// logged. Lines that do not fit are dropped and counted, and the count is written once
// the reader reads again.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		l := New(g, Options{})
		const logged = 5000
		for i := range logged {
			l.Info(fmt.Sprint("line ", i), "n", i, "text", strings.Repeat("x", 1000))
		}
		synctest.Wait()
		dropped := l.Dropped()
		if dropped < logged/2 || dropped > logged-900 {
			t.Errorf("%d of %d lines dropped, with room for 1 MiB", dropped, logged)
		}
		begun := time.Now()
		l.Close(time.Second)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("Close took %v", took)
		}
		l.Info("after the end")
		close(g.open)
		synctest.Wait()
		lines := decode(t, g.String())
		last := lines[len(lines)-1]
		if int64(len(lines)) != logged-dropped+1 || lines[0]["n"] != 0.0 || last["lines"] != float64(dropped+1) || last["level"] != "WARN" {
			t.Errorf("%d lines, the last %v, %d dropped", len(lines), last, dropped)
		}
	})
}

// flaky fails while it is broken.
type flaky struct {
	broken bool
	gate
}

func (f *flaky) Write(p []byte) (int, error) {
	if f.broken {
		return 0, syscall.ENOSPC
	}
	return f.Buffer.Write(p)
}

// A line that can't be written is dropped and counted; the count is written once
// writing works again.
func TestFailingWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{broken: true}
		l := New(f, Options{})
		for range 10 {
			l.Info("lost")
			synctest.Wait()
		}
		f.broken = false
		l.Info("written")
		l.Close(time.Second)
		lines := decode(t, f.String())
		if l.Dropped() != 10 || len(lines) != 2 || lines[0]["msg"] != "written" || lines[1]["lines"] != 10.0 {
			t.Errorf("%d dropped, %v", l.Dropped(), lines)
		}
	})
}

// After the reader of a pipe has gone, lines are lost but the process goes on.
func TestReaderGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	l := New(w, Options{})
	l.Info("read")
	if line, err := bufio.NewReader(r).ReadString('\n'); err != nil || !strings.Contains(line, `"read"`) {
		t.Fatalf("%q, %v", line, err)
	}
	r.Close()
	for range 3 {
		l.Info("lost")
	}
	l.Close(time.Second)
	if l.Dropped() != 3 {
		t.Errorf("%d lines dropped", l.Dropped())
	}
}

// Lines are written in the order in which they were logged, also by concurrent
// callers, and Close waits for all of them.
func TestCloseWritesAll(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, Options{})
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for n := range 200 {
				l.Info(fmt.Sprint("line ", g, n), "by", g, "n", n)
			}
		})
	}
	all.Wait()
	l.Close(time.Minute)
	lines := decode(t, out.String())
	next := [4]float64{}
	for _, line := range lines {
		by := int(line["by"].(float64))
		if line["n"] != next[by] {
			t.Fatalf("%v, want %v", line, next[by])
		}
		next[by]++
	}
	if len(lines) != 800 || l.Dropped() != 0 {
		t.Errorf("%d lines, %d dropped", len(lines), l.Dropped())
	}
}

// Durations are logged as numbers of seconds, with the unit in the key.
func TestDurationsInSeconds(t *testing.T) {
	for _, tt := range []struct {
		format Format
		want   string
	}{
		{JSON, `"down_for_seconds":4.236,"g":{"pause_seconds":0.25,"seconds":2,"age_seconds":1},"n":4,"text":"1s"`},
		{Text, `down_for_seconds=4.236 g.pause_seconds=0.25 g.seconds=2 g.age_seconds=1 n=4 text=1s`},
	} {
		var out bytes.Buffer
		l := New(&out, Options{Format: tt.format})
		l.Info("back", "down_for", 4236*time.Millisecond,
			slog.Group("g", "pause", 250*time.Millisecond, "seconds", 2*time.Second, "age_seconds", time.Second), "n", 4, "text", "1s")
		l.Close(time.Second)
		if !strings.Contains(out.String(), tt.want) {
			t.Errorf("got %s, want %s in it", out.String(), tt.want)
		}
	}
}

// Each line for the journal begins with its priority.
func TestJournalPriorities(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, Options{Format: Journal, Level: slog.LevelDebug})
	child := l.With("a", 1).WithGroup("g")
	for _, log := range []*slog.Logger{l.Logger, child} {
		log.Debug("d")
		log.Info("i")
		log.Warn("w")
		log.Error("e")
	}
	l.Close(time.Second)
	var prefixes []string
	for line := range strings.Lines(out.String()) {
		prefixes = append(prefixes, line[:4])
		decode(t, line[3:])
	}
	if got, want := fmt.Sprint(prefixes), `[<7>{ <6>{ <4>{ <3>{ <7>{ <6>{ <4>{ <3>{]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Lines below the level are not written.
func TestLevel(t *testing.T) {
	var out bytes.Buffer
	l := New(&out, Options{Level: slog.LevelWarn})
	l.Info("no")
	l.Warn("yes")
	l.Close(time.Second)
	if lines := decode(t, out.String()); len(lines) != 1 || lines[0]["msg"] != "yes" {
		t.Error(lines)
	}
}

// The format depends on the destination of the log: only the exact file that
// JOURNAL_STREAM names is the journal.
func TestFormatOf(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	this, other := fmt.Sprintf("%d:%d", stat.Dev, stat.Ino), fmt.Sprintf("%d:%d", stat.Dev, stat.Ino+1)
	closed, _ := os.Create(filepath.Join(t.TempDir(), "closed"))
	closed.Close()
	for _, tt := range []struct {
		to     io.Writer
		stream string
		want   Format
	}{
		{f, this, Journal}, {f, other, JSON}, {f, "", JSON}, {f, "nonsense", JSON}, {&bytes.Buffer{}, this, JSON}, {closed, this, JSON},
	} {
		if got := FormatOf(tt.to, func(string) string { return tt.stream }); got != tt.want {
			t.Errorf("JOURNAL_STREAM=%q, %T: %d, want %d", tt.stream, tt.to, got, tt.want)
		}
	}
}
