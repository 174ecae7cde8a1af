package shelf

import (
	"slices"
	"strconv"
	"testing"
)

// The season keeps items up to its budget. An item that the round has not reached gives way
// to an item that it has, and no item of another shelf does.
func TestSeason(t *testing.T) {
	sh := newShelves(t, 1_000_000)
	if kept, _ := sh.PutSeason(newThing("none", 0), 1); kept || sh.HasRoom(Season, 1) {
		t.Error("a season that was not reserved keeps an item")
	}
	sh = newShelves(t, 1_000_000)
	sh.KeepSeason()
	budget := sh.Budget(Season)
	if budget != 712_500 || sh.Budget(Hot) != 95_000 || sh.Budget(Tail) != 142_500 {
		t.Errorf("budgets %d, %d, %d", budget, sh.Budget(Hot), sh.Budget(Tail))
	}
	hot := newThing("hot", 9)
	sh.Put(hot, Hot, 90_000)
	fill := func(from, n int) (kept []*thing) {
		for i := range n {
			item := newThing(strconv.Itoa(from+i), 0)
			if in, out := sh.PutSeason(item, budget/10); in && len(out) == 0 {
				kept = append(kept, item)
			}
		}
		return kept
	}
	sh.BeginRound()
	first := fill(0, 11)
	if len(first) != 10 || sh.stats(Season).Rejected != 1 || hot.Place() != Hot {
		t.Fatalf("kept %d: %+v", len(first), sh.stats(Season))
	}
	sh.BeginRound()
	for _, item := range first[3:] { // reached again, with another size
		if kept, out := sh.PutSeason(item, budget/10-1); !kept || out != nil {
			t.Errorf("%s: %v, %v", item.Key, kept, out)
		}
	}
	grown := newThing("grown", 0)
	kept, out := sh.PutSeason(grown, budget/5)
	for _, item := range out {
		if !slices.Contains(first[:3], item) || item.Place() != Nowhere {
			t.Errorf("%s gave way", item.Key)
		}
	}
	if !kept || len(out) != 2 {
		t.Errorf("%v, %d items gave way", kept, len(out))
	}
	if out := sh.EndRound(); len(out) != 1 || !slices.Contains(first[:3], out[0]) || grown.Place() != Season {
		t.Errorf("%d items left with the round", len(out))
	}
	if kept, _ := sh.PutSeason(newThing("huge", 0), budget+1); kept || sh.stats(Season).Entries != 8 {
		t.Errorf("%+v", sh.stats(Season))
	}
	if out := sh.Share(450_000); len(out) == 0 || sh.stats(Season).Bytes > 375_000 {
		t.Errorf("a larger warm set: %d left, %+v", len(out), sh.stats(Season))
	}
	if err := audit(sh); err != nil {
		t.Error(err)
	}
}

// The season takes items from other shelves, and an item without room stays there.
func TestSeasonTakesFromOthers(t *testing.T) {
	sh := newShelves(t, 1_000_000)
	sh.KeepSeason()
	sh.BeginRound()
	for i, at := range []Place{Hot, Tail, Absent} {
		item := newThing(strconv.Itoa(i), 0)
		sh.Put(item, at, 1000)
		if kept, _ := sh.PutSeason(item, 1000); !kept || item.Place() != Season || sh.Bytes(at) != 0 {
			t.Errorf("%s: %v, %d bytes", at, kept, sh.Bytes(at))
		}
	}
	large := newThing("large", 0)
	sh.Put(large, Hot, 20_000)
	if kept, out := sh.PutSeason(large, 712_500); kept || out != nil || large.Place() != Hot {
		t.Errorf("without room: %v, %v, %s", kept, out, large.Place())
	}
}

// TestSeasonRoom: an item takes the room of items that the round has not reached, as much as
// it needs, and they count as evicted. An item that no season can hold takes none.
func TestSeasonRoom(t *testing.T) {
	sh := newShelves(t, 1_000_000)
	sh.KeepSeason()
	sh.BeginRound()
	budget := sh.Budget(Season)
	stock := stock(sh, Season, budget/5, 0)
	for _, item := range stock[:2] {
		sh.Reach(item)
	}
	sh.BeginRound()
	sh.Reach(stock[0])
	if kept, out := sh.PutSeason(newThing("more than all", 0), budget+1); kept || out != nil {
		t.Errorf("kept %t, %d left", kept, len(out))
	}
	if kept, out := sh.PutSeason(newThing("without enough room", 0), budget); kept || len(out) != 4 || slices.Contains(out, stock[0]) {
		t.Errorf("kept %t, %d left", kept, len(out))
	}
	if s := sh.stats(Season); s.Evicted != 4 || s.Rejected != 2 || s.Entries != 1 {
		t.Errorf("%+v", s)
	}
	sh.BeginRound()
	if kept, out := sh.PutSeason(newThing("all", 0), budget); !kept || len(out) != 1 {
		t.Errorf("kept %t, %d left", kept, len(out))
	}
	sh.BeginRound()
	if out := sh.EndRound(); len(out) != 1 || sh.stats(Season).Evicted != 6 {
		t.Errorf("%d left, %+v", len(out), sh.stats(Season))
	}
}

// TestSeasonShrinks: a larger warm set takes room from the season, whose items that leave are
// returned and count as evicted.
func TestSeasonShrinks(t *testing.T) {
	sh := newShelves(t, 1_000_000)
	sh.KeepSeason()
	sh.BeginRound()
	before := stock(sh, Season, 10_000, 0)
	out := sh.Share(450_000)
	if left := sh.Items(Season); len(out) == 0 || len(out)+len(left) != len(before) || sh.stats(Season).Evicted != int64(len(out)) {
		t.Errorf("%d of %d items left, %d are there, %+v", len(out), len(before), len(left), sh.stats(Season))
	}
	for _, item := range out {
		if item.Place() != Nowhere {
			t.Errorf("%s is on the %s shelf", item.Key, item.Place())
		}
	}
}
