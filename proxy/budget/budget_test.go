package budget

import (
	"sync"
	"testing"
)

// Rooms share the budget: a room that would exceed it is refused, and bytes that a room
// returns are free for others.
func TestRoom(t *testing.T) {
	b := New(100)
	one, other := b.Room(), b.Room()
	for i, tt := range []struct {
		room *Room
		n    int
		want bool
		used int64
	}{
		{&one, 60, true, 60}, {&other, 41, false, 60}, {&other, 40, true, 100}, {&one, 1, false, 100}, {&one, 0, true, 100},
	} {
		if got := tt.room.Grow(tt.n); got != tt.want || b.Stats().Used != tt.used {
			t.Errorf("%d: %t, %+v", i, got, b.Stats())
		}
	}
	one.Close()
	one.Close()
	if got := b.Stats(); got != (Stats{Limit: 100, Used: 40, Refused: 2}) {
		t.Errorf("%+v", got)
	}
	if !other.Grow(60) || !one.Grow(0) || one.Grow(1) {
		t.Errorf("%+v", b.Stats())
	}
	other.Close()
	if got := b.Stats().Used; got != 0 {
		t.Errorf("%d bytes are left", got)
	}
}

// Large rooms leave the last quarter of a budget to small rooms.
func TestLargeRoomsLeaveRoom(t *testing.T) {
	b := New(400 << 10)
	var rooms []Room
	for {
		room := b.Room()
		if !room.Grow(small/2) || !room.Grow(2*small) {
			room.Close()
			break
		}
		rooms = append(rooms, room)
	}
	if used := b.Stats().Used; used > 300<<10 || used < 250<<10 {
		t.Errorf("large rooms take %d bytes", used)
	}
	for i := range 5 {
		room := b.Room()
		if !room.Grow(small) {
			t.Errorf("no room for a small room: %+v", b.Stats())
		}
		if i > 0 && room.Grow(1) {
			t.Error("it grows beyond small in the last quarter")
		}
		rooms = append(rooms, room)
	}
	for _, room := range rooms {
		room.Close()
	}
	if used := b.Stats().Used; used != 0 {
		t.Errorf("%d bytes are left", used)
	}
}

// A nil budget has no limit.
func TestNoBudget(t *testing.T) {
	var b *Budget
	room := b.Room()
	if !room.Grow(1<<60) || room.Close() != nil || b.Stats() != (Stats{}) {
		t.Error("refused")
	}
}

// Under concurrent growth no bytes are lost, and the budget is never exceeded.
func TestRoomsConcurrently(t *testing.T) {
	b := New(1000)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 2000 {
				room := b.Room()
				for n := range i % 5 {
					room.Grow(100 * n)
				}
				room.Close()
			}
		})
	}
	all.Wait()
	if s := b.Stats(); s.Used != 0 {
		t.Errorf("%+v", s)
	}
}
