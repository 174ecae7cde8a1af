package memfile

import (
	"bytes"
	"io"
	"runtime"
	"sync"
	"testing"
)

func newFile(t *testing.T, m *Memory, b []byte) *File {
	t.Helper()
	f, err := m.New(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A file holds the bytes that it was made of, for each user, until the last user releases
// it. It is closed then, without the garbage collector.
func TestLastReleaseCloses(t *testing.T) {
	body := bytes.Repeat([]byte("body"), 5000)
	var changes []int64
	m := &Memory{Changed: func(bytes int64) { changes = append(changes, bytes) }}
	f := newFile(t, m, body)
	if m.Files() != 1 || m.Bytes() != 20480 || f.Cost() != 20480 || f.Size() != len(body) {
		t.Errorf("%d files, %d bytes, cost %d, size %d", m.Files(), m.Bytes(), f.Cost(), f.Size())
	}
	for range 2 {
		if !f.Acquire() {
			t.Fatal("not acquired")
		}
		if got, err := io.ReadAll(f.Reader()); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	f.Release()
	f.Release()
	if err := f.Control(func(uintptr) {}); err != nil || m.Files() != 1 {
		t.Errorf("closed before the last release: %v", err)
	}
	f.Release()
	if m.Files() != 0 || m.Bytes() != 0 {
		t.Errorf("%d files, %d bytes after the last release", m.Files(), m.Bytes())
	}
	if f.Acquire() {
		t.Error("acquired after the last release")
	}
	if err := f.Control(func(uintptr) {}); err == nil {
		t.Error("open after the last release")
	}
	if len(changes) != 2 || changes[0] != 20480 || changes[1] != 0 {
		t.Errorf("changes %v", changes)
	}
}

// A Release without a user panics.
func TestReleasedTooOften(t *testing.T) {
	f := newFile(t, &Memory{}, []byte("x"))
	f.Release()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f.Release()
}

// A file that is lost without its last release is closed by the garbage collector.
func TestLostFile(t *testing.T) {
	m := &Memory{}
	newFile(t, m, []byte("lost"))
	for range 100 {
		if runtime.GC(); m.Files() == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Error("still open")
}

// Callers that acquire a file while others release it either read the content or learn
// that the file is closed.
func TestAcquireWhileOthersRelease(t *testing.T) {
	m := &Memory{}
	for range 200 {
		f := newFile(t, m, []byte("content"))
		var users sync.WaitGroup
		for range 4 {
			users.Go(func() {
				if !f.Acquire() {
					return
				}
				defer f.Release()
				if got, err := io.ReadAll(f.Reader()); err != nil || string(got) != "content" {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
		f.Release()
		users.Wait()
	}
	if m.Files() != 0 || m.Bytes() != 0 {
		t.Errorf("%d files, %d bytes left", m.Files(), m.Bytes())
	}
}
