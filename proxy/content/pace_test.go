package content

import (
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowBody takes a while for each read and counts the concurrent reads.
type slowBody struct {
	io.Reader
	running, most *atomic.Int64
	closed        bool
}

func (s *slowBody) Read(b []byte) (int, error) {
	now := s.running.Add(1)
	defer s.running.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	time.Sleep(time.Millisecond)
	return s.Reader.Read(b[:min(10, len(b))])
}

func (s *slowBody) Close() error { s.closed = true; return nil }

// Of many bodies that are read, at most as many as the pace allows are inflated at one
// moment, all of them get on, and each arrives whole.
func TestPace(t *testing.T) {
	for _, n := range []int{0, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			pace := NewPace(n)
			var running, most atomic.Int64
			var all sync.WaitGroup
			want := strings.Repeat("0123456789", 20)
			for range 50 {
				all.Go(func() {
					from := &slowBody{Reader: strings.NewReader(want), running: &running, most: &most}
					body := pace.Reader(from)
					if _, ok := body.(io.WriterTo); ok {
						t.Error("the body can be written in one turn")
					}
					got, err := io.ReadAll(body)
					if string(got) != want || err != nil {
						t.Errorf("%d bytes, %v", len(got), err)
					}
					if body.Close(); !from.closed {
						t.Error("the body is not closed")
					}
				})
			}
			all.Wait()
			if most.Load() != int64(max(1, n)) {
				t.Errorf("%d at one moment, want %d", most.Load(), n)
			}
		})
	}
}
