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
