package admission

import (
	"slices"
	"strconv"
	"testing"
)

func newPolicy(t *testing.T, budget int64) *Policy[*int] {
	t.Helper()
	p, err := New[*int](budget)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestNew(t *testing.T) {
	if _, err := New[*int](0); err == nil {
		t.Error("no error without a budget")
	}
}

// The counts of admitted, refused and evicted entries add up, and the costs of the
// entries never exceed the budget.
func TestEntriesAddUp(t *testing.T) {
	const budget, entries = 1000, 5000
	p := newPolicy(t, budget)
	there, sum := map[*int]int64{}, int64(0)
	refused, evicted := 0, 0
	for n := range entries {
		key, v, cost := strconv.Itoa(n), new(int), int64(1+n%50)
		*v = n
		p.Touch(key)
		verdict, victims := p.Admit(key, v, cost)
		switch verdict {
		case Kept:
			there[v] = cost
			sum += cost
		case Refused:
			refused++
		case Dropped:
			t.Fatal("dropped")
		}
		for _, victim := range victims {
			cost, ok := there[victim]
			if !ok {
				t.Fatalf("entry %d was evicted without being there", *victim)
			}
			evicted++
			sum -= cost
			delete(there, victim)
		}
		if room := p.Room(); room != budget-sum || room < 0 {
			t.Fatalf("room for %d, want %d", room, budget-sum)
		}
	}
	if len(there)+refused+evicted != entries || evicted == 0 {
		t.Errorf("%d there, %d refused, %d evicted, of %d", len(there), refused, evicted, entries)
	}
	for v := range there {
		if !p.Has(strconv.Itoa(*v), v) {
			t.Errorf("entry %d is not there", *v)
		}
	}
}

// A lower cost takes effect in place, and a higher one after a removal.
func TestCostChanges(t *testing.T) {
	p := newPolicy(t, 100)
	v, next := new(int), new(int)
	for _, cost := range []int64{50, 20} {
		if verdict, victims := p.Admit("key", v, cost); verdict != Kept || len(victims) > 0 || p.Room() != 100-cost {
			t.Errorf("cost %d: %v, %d victims, room for %d", cost, verdict, len(victims), p.Room())
		}
	}
	p.Remove("key")
	if verdict, victims := p.Admit("key", next, 90); verdict != Kept || len(victims) > 0 || p.Room() != 10 {
		t.Errorf("%v, %d victims, room for %d", verdict, len(victims), p.Room())
	}
	if p.Has("key", v) || !p.Has("key", next) {
		t.Error("not the entry that was admitted last")
	}
}

// An entry that is removed while the policy selects it as a victim is not reported as one.
func TestRemovedIsNoVictim(t *testing.T) {
	p := newPolicy(t, 100)
	first, second := new(int), new(int)
	p.Admit("first", first, 60)
	for range 20 {
		p.Touch("second")
	}
	p.Remove("first")
	if verdict, victims := p.Admit("second", second, 60); verdict != Kept || slices.Contains(victims, first) {
		t.Errorf("%v, %d victims", verdict, len(victims))
	}
}

// A raised budget gives room, and a lowered budget evicts nothing by itself.
func TestResize(t *testing.T) {
	p := newPolicy(t, 100)
	v := new(int)
	p.Admit("key", v, 80)
	for _, budget := range []int64{200, 50} {
		if p.Resize(budget); p.Room() != budget-80 || !p.Has("key", v) {
			t.Errorf("budget %d: room for %d", budget, p.Room())
		}
	}
}

// A closed policy considers nothing, like a policy whose buffer is full.
func TestDropped(t *testing.T) {
	p := newPolicy(t, 100)
	p.Close()
	if verdict, victims := p.Admit("key", new(int), 1); verdict != Dropped || victims != nil {
		t.Errorf("%v, %d victims", verdict, len(victims))
	}
}
