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

const (
	athletes = "iz_rankings_xcri_athlete_rankings"
	resumes  = "iz_groups_season_resumes"
)

var (
	men   = store.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: store.Live}
	women = store.Scope{Season: "2025", Division: "2030", Gender: "F", Checkpoint: store.Live}
)

// The lists are in the warm set, the résumé is not.
const (
	menList   = "/athletes/?season_year=2025&division=2030&gender=M"
	womenList = "/athletes/?season_year=2025&division=2030&gender=F"
	resume    = "/teams/7/resume"
)

// tables is a fixture whose database has two tables with stamps. Changes settle with
// the first poll that finds the table quiet.
type tables struct {
	*fixture
	stamps map[string]store.Stamp
	keys   map[string]string // the canonical keys of the targets
}

func newTables(t *testing.T) *tables {
	f := &tables{fixture: newFixture(t), stamps: map[string]store.Stamp{}, keys: map[string]string{}}
	f.opts.Now, f.opts.Changes.Settle, f.witness.resolution = time.Now, 1, 0
	f.rows = map[string]map[store.Scope]store.Rows{athletes: {men: {Count: 10, Sum: "a"}, women: {Count: 10, Sum: "b"}}}
	f.scope = func(key string) store.Scope {
		q, err := f.opts.Routes.Question(key)
		if err != nil {
			t.Error(err)
		}
		return q.Query.Scope()
	}
	f.run = func(_ context.Context, key string) (store.Answer, error) {
		return store.Answer{Generation: f.generation.Load().Of(f.scope(key))}, nil
	}
	f.generation.Store(store.NewGeneration(rankings(men, 1, 10), rankings(women, 2, 10)))
	f.change(athletes, "1")
	f.change(resumes, "1")
	for _, target := range []string{menList, womenList, resume} {
		q, err := f.opts.Routes.Resolve(target)
		if err != nil {
			t.Fatal(err)
		}
		f.keys[target] = q.Key
	}
	f.poll(t) // publishes
	f.poll(t) // reads the rows of the first state
	f.poll(t)
	for target := range f.keys {
		f.get(t, target, cache.Miss)
	}
	f.poll(t) // shows that the tables had not changed before these were read
	return f
}

func rankings(s store.Scope, id, rows int64) store.Calculation {
	return store.Calculation{Scope: s, ID: id, At: time.Unix(id, 0), Rows: rows}
}

// change changes a table's stamp.
func (f *tables) change(table, updated string) {
	f.stamps = maps.Clone(f.stamps)
	f.stamps[table] = store.Stamp{Created: "0", Updated: updated}
	f.generation.Store(f.generation.Load().WithStamps(f.stamps))
}

// sets changes the rows of a table's scope.
func (f *tables) sets(s store.Scope, count int64, sum string) {
	rows := maps.Clone(f.rows[athletes])
	rows[s] = store.Rows{Count: count, Sum: sum}
	f.rows = map[string]map[store.Scope]store.Rows{athletes: rows}
}

// poll polls once and waits until a table that the poll started to read has been read.
func (f *tables) poll(t *testing.T) {
	f.Once(t.Context())
	f.witness.summing.Wait()
}

// settled polls until the changes of all tables are accounted for.
func (f *tables) settled(t *testing.T) {
	t.Helper()
	for range 10 {
		f.poll(t)
		busy := f.witness.busy
		for _, table := range f.Tables() {
			busy = busy || !table.ChangingSince.IsZero()
		}
		if !busy {
			return
		}
	}
	t.Fatalf("not settled: %+v", f.Tables())
}

func (f *tables) get(t *testing.T, target string, want cache.Outcome) {
	t.Helper()
	if _, outcome, err := f.cache.Get(&cache.Ref{Key: f.keys[target]}); outcome != want || err != nil {
		t.Errorf("%s: %v, %v, want %v", target, outcome, err, want)
	}
}

// peek checks the outcome that a request would have, without a refresh.
func (f *tables) peek(t *testing.T, target string, want cache.Outcome) {
	t.Helper()
	if s := f.cache.Peek(&cache.Ref{Key: f.keys[target]}); s.Outcome != want {
		t.Errorf("%s: %v, want %v", target, s.Outcome, want)
	}
}

// Rows that are changed in place, without a new calculation, make the entries of their
// scope stale once the table is quiet, and no other entries.
func TestRowsChangedInPlace(t *testing.T) {
	f := newTables(t)
	f.sets(men, 10, "mended")
	f.change(athletes, "2")
	f.poll(t)
	f.peek(t, menList, cache.Hit) // it may not be all yet
	f.settled(t)
	f.peek(t, menList, cache.Stale)
	f.peek(t, womenList, cache.Hit)
	f.peek(t, resume, cache.Hit)
	if f.Status().Published < 2 {
		t.Error("the warm set is not prepared again")
	}
}

// A change of a table without scope columns makes all entries that read it stale.
func TestTableWithoutScopes(t *testing.T) {
	f := newTables(t)
	f.change(resumes, "2")
	f.settled(t)
	f.peek(t, resume, cache.Stale)
	f.peek(t, menList, cache.Hit)
}

// If the rows can't be read, all entries that read the table become stale.
func TestUnreadableRows(t *testing.T) {
	f := newTables(t)
	f.rows = nil
	f.change(athletes, "2")
	f.settled(t)
	f.peek(t, menList, cache.Stale)
	f.peek(t, womenList, cache.Stale)
	f.peek(t, resume, cache.Hit)
}

// An entry that was read while a table was changing is stale afterwards, although the
// rows are the same as before: a table that is emptied and filled again.
func TestReadWhileChanging(t *testing.T) {
	f := newTables(t)
	f.cache.Purge(func(e *cache.Entry) bool { return e.Key == f.keys[womenList] }, true)
	f.change(athletes, "2")
	f.get(t, womenList, cache.Miss) // from the empty table
	f.change(athletes, "3")
	f.settled(t)
	f.peek(t, womenList, cache.Stale)
	f.peek(t, menList, cache.Hit)
}

// An entry that was read after the changes stays fresh.
func TestReadAfterTheChanges(t *testing.T) {
	f := newTables(t)
	f.sets(men, 10, "mended")
	f.change(athletes, "2")
	f.poll(t)
	f.cache.Purge(func(e *cache.Entry) bool { return e.Key == f.keys[menList] }, true)
	f.get(t, menList, cache.Miss)
	f.settled(t)
	f.peek(t, menList, cache.Hit)
}

// Changes of a table that never becomes quiet count as settled after a while, for all
// of its entries.
func TestTableNeverRests(t *testing.T) {
	f := newTables(t)
	f.opts.Changes.Settle = time.Hour
	f.change(athletes, "2")
	f.poll(t)
	since := &f.witness.tables[athletes].since
	*since = since.Add(-restless * time.Hour)
	f.change(athletes, "3")
	f.poll(t)
	f.change(athletes, "4") // while the rows are read
	f.poll(t)
	f.peek(t, menList, cache.Stale)
	f.peek(t, womenList, cache.Stale)
}

// A scope that loses most of its rows without a new calculation is held back for a
// while, or until an operator accepts it.
func TestEmptiedTable(t *testing.T) {
	for _, accept := range []bool{false, true} {
		f := newTables(t)
		f.sets(men, 4, "some")
		f.change(athletes, "2")
		for range 4 {
			f.poll(t)
		}
		f.peek(t, menList, cache.Hit)
		if held := f.Tables()[1].Held; held == "" {
			t.Fatalf("nothing is held: %+v", f.Tables())
		}
		if accept {
			f.Accept(nil)
		} else {
			f.opts.Changes.ImplausibleAfter = 1
		}
		f.settled(t)
		f.peek(t, menList, cache.Stale)
	}
}

// An answer that was read while a table was empty is dropped once the rows are back,
// also if these are the same as before, and of a table whose rows name no scope.
func TestReadOfAnEmptyTable(t *testing.T) {
	for table, target := range map[string]string{athletes: menList, resumes: resume} {
		f := newTables(t)
		f.cache.Purge(func(e *cache.Entry) bool { return e.Key == f.keys[target] }, true)
		stamps := maps.Clone(f.stamps)
		stamps[table] = store.Stamp{Created: "0", Updated: "1", Empty: true}
		rows := f.rows
		if table == athletes {
			f.rows = map[string]map[store.Scope]store.Rows{athletes: {}}
		}
		f.generation.Store(f.generation.Load().WithStamps(stamps))
		for range 4 {
			f.poll(t)
		}
		f.get(t, target, cache.Miss) // without rows
		f.peek(t, target, cache.Hit)
		held := 0
		for _, table := range f.Tables() {
			if table.Held != "" {
				held++
			}
		}
		if held != 1 {
			t.Errorf("%s: held: %+v", table, f.Tables())
		}
		f.rows = rows
		f.change(table, "2")
		f.settled(t)
		f.peek(t, target, cache.Miss)
		f.peek(t, womenList, cache.Hit)
	}
}

// A held change ends when the rows come back.
func TestEmptiedTableIsFilled(t *testing.T) {
	f := newTables(t)
	f.sets(men, 0, "")
	f.change(athletes, "2")
	for range 4 {
		f.poll(t)
	}
	f.sets(men, 10, "a")
	f.change(athletes, "3")
	f.settled(t)
	f.peek(t, menList, cache.Hit)
	if held := f.Tables()[1].Held; held != "" {
		t.Errorf("held: %s", held)
	}
}

// A new calculation explains why a scope has fewer rows.
func TestSmallerCalculation(t *testing.T) {
	f := newTables(t)
	f.sets(men, 4, "fewer")
	f.change(athletes, "2")
	f.generation.Store(store.NewGeneration(rankings(men, 3, 9), rankings(women, 2, 10)).WithStamps(f.stamps))
	f.settled(t)
	f.peek(t, menList, cache.Stale)
	f.peek(t, womenList, cache.Hit)
}

// A generation that resembles a partial import is not published until it has lasted for a
// while, is accepted, or is followed by a plausible generation.
func TestImplausibleGeneration(t *testing.T) {
	whole := store.NewGeneration(rankings(men, 1, 10), rankings(women, 2, 10))
	for name, g := range map[string]*store.Generation{
		"empty":         store.NewGeneration(),
		"a scope less":  store.NewGeneration(rankings(women, 2, 10), rankings(men, 1, 4)),
		"under half":    store.NewGeneration(rankings(men, 3, 4), rankings(women, 2, 10)),
		"an older time": store.NewGeneration(rankings(men, 1, 10), rankings(women, 1, 10)),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.generation.Store(whole)
			f.Once(t.Context())
			published := func(want *store.Generation, held bool) {
				t.Helper()
				got, _ := f.Published()
				if s := f.Status(); got.ID() != want.ID() || (s.Held != "") != held || (s.HeldSince != nil) != held || (s.LookError != "") != held {
					t.Errorf("published %s, want %s; %+v", got.ID(), want.ID(), s)
				}
			}
			f.generation.Store(g)
			ticket := f.Poll(nil)
			f.Once(t.Context())
			f.sleep(9 * time.Minute)
			f.Once(t.Context())
			published(whole, true)
			if f.Status().Looked != ticket {
				t.Error("the poll has not ended")
			}
			f.generation.Store(whole)
			f.Once(t.Context())
			published(whole, false)
			f.generation.Store(g)
			f.Once(t.Context())
			published(whole, true) // the time counts from anew
			f.Accept(nil)
			f.Once(t.Context())
			published(g, false)

			f.generation.Store(whole)
			f.Accept(nil)
			f.Once(t.Context())
			f.generation.Store(g)
			f.Once(t.Context())
			published(whole, true)
			f.sleep(10 * time.Minute)
			f.Once(t.Context())
			f.Once(t.Context())
			published(g, false)
		})
	}
}

// A calculation that is deleted and a calculation that is written with half of the rows or
// more are published as they are.
func TestPlausibleGenerations(t *testing.T) {
	before := store.NewGeneration(rankings(men, 1, 10), rankings(women, 2, 10))
	for _, g := range []*store.Generation{
		store.NewGeneration(rankings(men, 3, 5), rankings(women, 2, 10)),
		store.NewGeneration(rankings(men, 3, 10), rankings(women, 2, 10), rankings(store.Scope{Season: "2026"}, 4, 1)),
		store.NewGeneration(rankings(men, 1, 10), rankings(men, 3, 1), rankings(women, 2, 10)),
	} {
		if reason := g.Implausible(before); reason != "" {
			t.Error(reason)
		}
	}
}

// Where the server records no changes, entries that no calculation covers become stale
// after Changes.MaxAge; entries that calculations cover do not.
func TestEntriesAgeWithoutStamps(t *testing.T) {
	f := newTables(t)
	f.change(resumes, "")
	f.change(athletes, "")
	f.settled(t)
	f.cache.Purge(func(*cache.Entry) bool { return true }, true)
	f.get(t, resume, cache.Miss)
	f.get(t, menList, cache.Miss)
	f.poll(t)
	f.peek(t, resume, cache.Hit)
	f.opts.Changes.MaxAge = 1
	f.poll(t)
	f.peek(t, resume, cache.Stale)
	f.peek(t, menList, cache.Hit)
}

// A change while the program was not running is detected by the stamps that were saved
// with the entries.
func TestKeptStamps(t *testing.T) {
	for changed, want := range map[bool]cache.Outcome{false: cache.Hit, true: cache.Stale} {
		f := newTables(t)
		kept := note.Parse(f.Note().String())
		if len(kept.Stamps) != 2 || note.Parse("no JSON").Stamps != nil {
			t.Errorf("kept %v", kept)
		}
		if changed {
			f.sets(men, 10, "mended")
			f.change(athletes, "2")
		}
		f.Watcher.witness, f.Watcher.polled = newWitness(kept), make(chan struct{})
		f.settled(t)
		f.peek(t, menList, want)
		f.peek(t, resume, cache.Hit)
	}
}

// An unsettled change is saved so that the next run detects it again.
func TestUnsettledStampsAreNotKept(t *testing.T) {
	f := newTables(t)
	f.opts.Changes.Settle = time.Hour
	f.change(athletes, "2")
	f.poll(t)
	if got := f.Note().Stamps[athletes].Updated; got != "1" {
		t.Errorf("kept %q", got)
	}
}

// A table that changed just before the first poll may change again under the same
// stamp: entries that were read meanwhile are stale once it is quiet.
func TestChangeUnderTheSameStamp(t *testing.T) {
	f := newTables(t)
	f.stamps[athletes] = store.Stamp{Created: "0", Updated: "1", Recent: true}
	f.generation.Store(f.generation.Load().WithStamps(f.stamps))
	f.Watcher.witness = newWitness(Note{})
	f.witness.resolution = time.Hour
	f.poll(t)
	f.cache.Purge(func(e *cache.Entry) bool { return e.Key == f.keys[menList] }, true)
	f.get(t, menList, cache.Miss)
	f.settled(t)
	f.peek(t, menList, cache.Stale)
	f.peek(t, resume, cache.Hit)
}
