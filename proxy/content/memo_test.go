package content

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// got returns the value that m holds for text, or zero.
func got(m *Memo[int], text string) int {
	if n := m.Get([]byte(text)); n != nil {
		return *n
	}
	return 0
}

func put(m *Memo[int], text string, value int) { m.Put([]byte(text), &value) }

func TestMemo(t *testing.T) {
	m := NewMemo[int](2) // all texts share two places
	check := func(text string, want int) {
		t.Helper()
		if n := got(&m, text); n != want {
			t.Errorf("%q: %d, want %d", text, n, want)
		}
	}
	check("a", 0)
	put(&m, "a", 1)
	check("a", 1)
	put(&m, "b", 2)
	check("b", 2)
	put(&m, "c", 3)
	check("c", 0) // the others were asked for
	put(&m, "c", 3)
	check("a", 0)
	check("b", 2)
	check("c", 3)
	long := strings.Repeat("x", longestMemo)
	put(&m, long+"x", 4)
	put(&m, long+"x", 4)
	check(long+"x", 0)
	check("b", 2)
	put(&m, long, 5)
	put(&m, long, 5)
	check(long, 5)
}

// TestMemoEmptyPlaces: a text that was put stays as long as there is an empty place,
// although it has not been requested again. Otherwise no text of a long cyclic sequence
// would ever be found.
func TestMemoEmptyPlaces(t *testing.T) {
	m := NewMemo[int](2) // all texts share two places
	put(&m, "a", 1)
	put(&m, "b", 2)
	if a, b := got(&m, "a"), got(&m, "b"); a != 1 || b != 2 {
		t.Errorf("a: %d, b: %d", a, b)
	}
}

// TestMemoRoom: a memo has the room that it was made with.
func TestMemoRoom(t *testing.T) {
	for _, room := range []int{2, 3, 64, 1000} {
		m := NewMemo[int](room)
		if n := 2 * len(m.pairs); n < room || n > 2*room {
			t.Errorf("room for %d, asked for %d", n, room)
		}
	}
}

// TestMemoKeepsItsOwn: the bytes of a text may change once it is put.
func TestMemoKeepsItsOwn(t *testing.T) {
	m := NewMemo[int](8)
	text := []byte("before")
	one := 1
	m.Put(text, &one)
	copy(text, "after!")
	if got(&m, "before") != 1 || got(&m, "after!") != 0 {
		t.Error("the text changed")
	}
}

func TestMemoConcurrently(t *testing.T) {
	m := NewMemo[int](4)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 2000 {
				n := (i*7+g)%16 + 1
				text := fmt.Sprint("text ", n)
				if known := got(&m, text); known != 0 && known != n {
					t.Errorf("%q: %d", text, known)
				}
				m.Put([]byte(text), &n)
			}
		})
	}
	all.Wait()
}
