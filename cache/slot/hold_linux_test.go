package slot

import (
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/cache/reads"
)

// newVersion returns a version of a day that has a memory file.
func newVersion(t *testing.T, memory *memfile.Memory, id string) *Version {
	t.Helper()
	file, err := memory.New([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return NewVersion(&entry.Entry{Key: "list", Content: entry.Content{Status: 200, Generation: id, Variants: []entry.Variant{{File: file}}}}, reads.Moment{Order: 1})
}

// A version's files stay open for as long as a slot serves it, or will.
func TestSlotHoldsFiles(t *testing.T) {
	var memory memfile.Memory
	s, first, second := New("list"), newVersion(t, &memory, "1"), newVersion(t, &memory, "2")
	open := func(when string, want int64) {
		t.Helper()
		if memory.Files() != want {
			t.Errorf("%s: %d files are open, want %d", when, memory.Files(), want)
		}
	}
	s.Serve(first)
	s.Prepare(second, &State{})
	first.Release() // by the caller that made it
	second.Release()
	open("served and prepared", 2)
	s.Serve(second)
	open("published", 1)
	s.Prepare(nil, nil)
	open("only served", 1)
	s.Prepare(second, &State{})
	s.Serve(nil)
	open("only prepared", 1)
	s.Serve(second)
	s.Serve(second)
	open("served twice", 1)
	s.Prepare(nil, nil)
	s.Serve(nil)
	open("gone", 0)
	if second.Hold() {
		t.Error("a file that is closed can be held")
	}
}

// TestHoldWhileVersionsChange: a reader that has found a version whose files were closed
// before it could hold them gets the version that has taken its place.
func TestHoldWhileVersionsChange(t *testing.T) {
	var memory memfile.Memory
	s, closed, next := New("list"), newVersion(t, &memory, "1"), newVersion(t, &memory, "2")
	closed.Release()
	s.served.Store(closed) // as the reader has found it
	held := make(chan *Version)
	go func() { held <- s.Hold() }()
	select {
	case v := <-held:
		t.Fatalf("got %+v while the files of the only version are closed", v)
	case <-time.After(20 * time.Millisecond):
	}
	s.Serve(next)
	if v := <-held; v != next {
		t.Errorf("got %+v", v)
	}
	if s.Serve(nil); s.Hold() != nil {
		t.Error("got a version that has left the cache")
	}
}
