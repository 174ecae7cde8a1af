package generation

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/generation/note"
	"github.com/lewistv/xcri-proxy/store"
)

// next returns the fixture of a run that starts with the entries and the note that f's
// run has saved, with all entries in the warm set.
func (f *tables) next(t *testing.T) *tables {
	t.Helper()
	note, saved := note.Parse(f.Note().String()), f.cache.Export()
	for i := range saved {
		saved[i].Warm = true
	}
	g := &tables{fixture: newFixture(t), stamps: f.stamps, keys: f.keys}
	g.opts.Now, g.opts.Changes = time.Now, f.opts.Changes
	g.opts.Changes.Saved = note
	g.witness = newWitness(note)
	g.rows, g.scope = f.rows, f.scope
	g.run = func(_ context.Context, key string) (store.Answer, error) {
		return store.Answer{Generation: g.generation.Load().Of(g.scope(key))}, nil
	}
	g.cache.Adopt(saved)
	g.generation.Store(f.generation.Load())
	return g
}

// newRun returns a run with the entries of two lists and a résumé, all in the warm set.
func newRun(t *testing.T) *tables {
	f := newTables(t)
	f.Poll([]string{f.keys[menList], f.keys[womenList], f.keys[resume]})
	f.poll(t)
	f.settled(t)
	for target := range f.keys {
		f.peek(t, target, cache.Hit)
	}
	return f
}

// A first poll in the middle of an import does not make the saved entries stale: their
// generation is published until the import has ended, or is accepted.
func TestStartInTheMiddleOfAnImport(t *testing.T) {
	for _, accept := range []bool{false, true} {
		f := newRun(t)
		whole := f.generation.Load()
		half := store.NewGeneration(rankings(women, 2, 10)).WithStamps(f.stamps) // the men's row is deleted
		f.generation.Store(half)
		f = f.next(t)
		f.poll(t)
		f.poll(t)
		if got, _ := f.Published(); got.ID() != whole.ID() || f.Status().Held == "" {
			t.Fatalf("published %s, held %q", got.ID(), f.Status().Held)
		}
		f.peek(t, menList, cache.Hit)
		f.peek(t, womenList, cache.Hit)
		want := half
		if accept {
			f.Accept(nil)
		} else {
			want = store.NewGeneration(rankings(men, 3, 10), rankings(women, 2, 10)).WithStamps(f.stamps)
			f.generation.Store(want)
		}
		f.poll(t)
		if got, _ := f.Published(); got.ID() != want.ID() || f.Status().Held != "" {
			t.Errorf("published %s, held %q", got.ID(), f.Status().Held)
		}
		f.peek(t, menList, cache.Stale)
		f.peek(t, womenList, cache.Hit)
	}
}

// Without saved entries the first poll is published, and so is a plausible first poll.
func TestStartWithoutAnImport(t *testing.T) {
	f := newRun(t)
	note := f.Note()
	f.generation.Store(store.NewGeneration(rankings(women, 2, 10)).WithStamps(f.stamps))
	empty := newFixture(t)
	empty.opts.Changes.Saved = note
	empty.generation.Store(f.generation.Load())
	empty.Once(t.Context())
	if got, _ := empty.Published(); got.ID() != f.generation.Load().ID() || empty.Status().Held != "" {
		t.Errorf("without entries: published %s", got.ID())
	}
	f.generation.Store(store.NewGeneration(rankings(men, 3, 10), rankings(women, 2, 10)).WithStamps(f.stamps))
	f = f.next(t)
	f.poll(t)
	if got, _ := f.Published(); got.ID() != f.generation.Load().ID() || f.Status().Held != "" {
		t.Errorf("plausible: published %s, held %q", got.ID(), f.Status().Held)
	}
}

// Rows that have changed between two runs make the entries of their scope stale, and
// no other entries. A table that has lost most of a scope is held back.
func TestRowsChangedBetweenRuns(t *testing.T) {
	f := newRun(t)
	f.sets(men, 10, "mended")
	f.change(athletes, "2")
	f = f.next(t)
	f.poll(t)
	f.settled(t)
	f.peek(t, menList, cache.Stale)
	f.peek(t, womenList, cache.Hit)
	f.peek(t, resume, cache.Hit)

	f = newRun(t)
	f.sets(women, 4, "half")
	f.change(athletes, "2")
	f = f.next(t)
	for range 4 {
		f.poll(t)
	}
	f.peek(t, womenList, cache.Hit)
	if held := f.Tables()[1].Held; held == "" {
		t.Errorf("nothing is held: %+v", f.Tables())
	}
	f.sets(women, 10, "b")
	f.change(athletes, "3")
	f.settled(t)
	f.peek(t, womenList, cache.Hit)
}

// A table that the server's statistics call empty although it has its rows is not held
// back if its rows name their scopes.
func TestStatisticsSayEmpty(t *testing.T) {
	f := newRun(t)
	stamps := maps.Clone(f.stamps)
	for _, table := range []string{athletes, resumes} {
		stamps[table] = store.Stamp{Created: "0", Updated: "2", Empty: true}
	}
	f.generation.Store(f.generation.Load().WithStamps(stamps))
	for range 4 {
		f.poll(t)
	}
	for _, table := range f.Tables() {
		if held := table.Held != ""; held != (table.Name == resumes) {
			t.Errorf("%s: held %q", table.Name, table.Held)
		}
	}
	f.peek(t, menList, cache.Hit)
}

// A note that another version has written, or that is damaged, knows nothing.
func TestUnreadableNotes(t *testing.T) {
	for _, text := range []string{"", "no JSON", `{"Stamps":1}`, `{"iz_athnet_teams":{"Created":"0"}}`, `{"Tables":{"a":[{"Scope":"x"}]}}`} {
		n := note.Parse(text)
		if n.Published != nil || len(n.Stamps) > 0 || len(newWitness(n).tables) > 0 {
			t.Errorf("%s: %+v", text, n)
		}
	}
}
