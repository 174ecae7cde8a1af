package generation

import (
	"slices"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store"
)

// TestData: the state of tables is compared by the stamps of the last poll, with the
// witness's knowledge of them.
func TestData(t *testing.T) {
	now := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	w := New(Options{Now: func() time.Time { return now }, Changes: Changes{MaxAge: time.Minute}})
	if d := w.Data([]string{"a"}); d.Stamps != "" {
		t.Errorf("before the first poll: %+v", d)
	}
	poll := func(stamps map[string]store.Stamp) {
		w.witness.observe((&store.Generation{}).WithStamps(stamps), now)
		w.view.Store(w.witness.viewAt(now))
	}
	uncovered := store.UncoveredTables()[0]
	first := map[string]store.Stamp{"a": {Updated: "1"}, "b": {Updated: "1"}, "unknown": {Created: "1"}, uncovered: {Created: "1"}}
	poll(first)
	both := w.Data([]string{"a", "b"})
	if !both.Sure || !both.Settled || both.MaxAge != 0 || both.Stamps == "" {
		t.Errorf("%+v", both)
	}
	if again := w.Data([]string{"b", "a"}); again != both {
		t.Errorf("in another order: %+v", again)
	}
	if d := w.Data([]string{"unknown"}); d.MaxAge != time.Minute || d.Stamps == "" {
		t.Errorf("not recorded: %+v", d)
	}
	if d := w.Data([]string{"a", uncovered}); d.Stamps != "" {
		t.Errorf("neither recorded nor calculated: %+v", d)
	}
	first["b"] = store.Stamp{Updated: "2"}
	poll(first)
	if d := w.Data([]string{"a", "b"}); d.Sure || d.Settled || d.Stamps == both.Stamps {
		t.Errorf("just changed: %+v", d)
	}
	if d := w.Data([]string{"a"}); !d.Sure || !d.Settled {
		t.Errorf("another table: %+v", d)
	}
	now = now.Add(stampResolution)
	if d := w.Data([]string{"b"}); !d.Sure || d.Settled {
		t.Errorf("changed a while ago: %+v", d)
	}
	now = now.Add(viewAge)
	if d := w.Data([]string{"a"}); d.Stamps != "" {
		t.Errorf("an old poll: %+v", d)
	}
	empty := map[string]store.Stamp{"a": {Updated: "1", Empty: true}}
	poll(empty)
	if d := w.Data([]string{"a"}); d.Stamps == "" || d.Stamps == both.Stamps {
		t.Errorf("empty: %+v", d)
	}
}

// TestUnstamped: a change that no stamp shows is reported, once.
func TestUnstamped(t *testing.T) {
	f := newTables(t)
	var got []string
	f.opts.Changes.OnUnstamped = func(table string) { got = append(got, table) }
	f.audited(t)
	f.change(athletes, "2")
	f.settled(t)
	if len(got) != 0 {
		t.Errorf("another stamp: %q", got)
	}
	f.sets(men, 10, "mended")
	f.audited(t)
	f.audited(t)
	if !slices.Equal(got, []string{athletes}) {
		t.Errorf("found by an audit: %q", got)
	}
	f.change(athletes, "")
	f.settled(t)
	f.change(athletes, "3")
	f.settled(t)
	if !slices.Equal(got, []string{athletes, athletes}) {
		t.Errorf("not recorded any more, and recorded again: %q", got)
	}
}
