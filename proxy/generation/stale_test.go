package generation

import (
	"reflect"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/store"
)

// reporting collects the reports of OnStale. Each report must come once the cache itself
// gives no older answer as fresh.
func (f *tables) reporting(t *testing.T, stale string) *[]Stale {
	var got []Stale
	f.opts.OnStale = func(s Stale) {
		if got = append(got, s); stale != "" {
			if sight := f.cache.Peek(&cache.Ref{Key: f.keys[stale]}); sight.Outcome == cache.Hit && sight.Entry.Generation != f.generation.Load().Of(men) {
				t.Errorf("%+v is reported before the cache has switched", s)
			}
		}
	}
	return &got
}

// TestPublishReportsScopes: the first publish of a run reports all answers, a later
// publish the scopes that differ, and a publish of the same generation none.
func TestPublishReportsScopes(t *testing.T) {
	f := newFixture(t)
	var got []Stale
	f.opts.OnStale = func(s Stale) { got = append(got, s) }
	for _, step := range []struct {
		generation *store.Generation
		want       []Stale
	}{
		{store.NewGeneration(rankings(men, 1, 10), rankings(women, 2, 10)), []Stale{{All: true}}},
		{store.NewGeneration(rankings(men, 3, 10), rankings(women, 2, 10)), []Stale{{Scopes: []store.Scope{men}}}},
		{store.NewGeneration(rankings(men, 3, 10), rankings(women, 2, 10)), nil},
		{store.NewGeneration(rankings(women, 4, 10), rankings(men, 5, 10)), []Stale{{Scopes: []store.Scope{women, men}}}},
	} {
		got = nil
		f.generation.Store(step.generation)
		f.Refill()
		f.Once(t.Context())
		if !reflect.DeepEqual(got, step.want) {
			t.Errorf("got %+v, want %+v", got, step.want)
		}
	}
}

// TestPublishReportsAfterTheSwitch: at the time of a report the cache gives the new
// answers.
func TestPublishReportsAfterTheSwitch(t *testing.T) {
	f := newTables(t)
	got := f.reporting(t, menList)
	f.generation.Store(store.NewGeneration(rankings(men, 3, 10), rankings(women, 2, 10)).WithStamps(f.stamps))
	f.poll(t)
	if want := []Stale{{Scopes: []store.Scope{men}}}; !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v, want %+v", *got, want)
	}
}

// TestTablesReportChanges: a change of a table reports its scopes and since when rows may
// have been in between; without known scopes it reports all of its answers.
func TestTablesReportChanges(t *testing.T) {
	f := newTables(t)
	got := f.reporting(t, "")
	before := time.Now()
	f.sets(men, 10, "mended")
	f.change(athletes, "2")
	f.settled(t)
	if len(*got) != 1 {
		t.Fatalf("%+v", *got)
	}
	if s := (*got)[0]; s.All || s.Table != athletes || !reflect.DeepEqual(s.Scopes, []store.Scope{men}) || s.Since.IsZero() || s.Since.After(before) {
		t.Errorf("%+v", s)
	}
	*got = nil
	f.change(resumes, "2")
	f.settled(t)
	if len(*got) != 1 || !(*got)[0].All || (*got)[0].Table != resumes {
		t.Errorf("%+v", *got)
	}
}

// TestAgeReportsTables: answers that become stale by their age are reported by table.
func TestAgeReportsTables(t *testing.T) {
	f := newTables(t)
	f.change(resumes, "")
	f.settled(t)
	got := f.reporting(t, "")
	f.opts.Changes.MaxAge = 1
	f.poll(t)
	found := false
	for _, s := range *got {
		found = found || s.Table == resumes && s.All
	}
	if !found {
		t.Errorf("%+v", *got)
	}
}
