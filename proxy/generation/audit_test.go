package generation

import (
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/store"
)

// later makes the audits of all tables due.
func (f *tables) later() {
	for _, t := range f.witness.tables {
		t.audit.at = time.Now()
	}
}

// audited polls until the tables whose audit is due have been read.
func (f *tables) audited(t *testing.T) {
	t.Helper()
	f.later()
	for range 2 * len(f.witness.tables) {
		f.poll(t)
	}
	f.settled(t)
}

// Rows that change without a change of the stamp are found by the next audit, and nothing
// is refilled if they have not changed.
func TestAudit(t *testing.T) {
	f := newTables(t)
	f.audited(t)
	f.peek(t, menList, cache.Hit)
	f.sets(men, 10, "mended")
	f.poll(t)
	f.peek(t, menList, cache.Hit)
	f.audited(t)
	f.peek(t, menList, cache.Stale)
	f.peek(t, womenList, cache.Hit)
	f.peek(t, resume, cache.Hit)
}

// A scope that an audit finds to have lost most of its rows is held back.
func TestAuditOfLostRows(t *testing.T) {
	f := newTables(t)
	f.sets(men, 1, "rest")
	f.later()
	for range 4 {
		f.poll(t)
	}
	f.peek(t, menList, cache.Hit)
	if held := f.Tables()[1].Held; held == "" {
		t.Fatalf("nothing is held: %+v", f.Tables())
	}
	f.sets(men, 10, "a")
	f.change(athletes, "2")
	f.settled(t)
	f.peek(t, menList, cache.Hit)
}

// An audit that could not read the rows changes nothing, and is repeated.
func TestAuditThatFails(t *testing.T) {
	f := newTables(t)
	rows := f.rows
	f.rows = nil
	f.audited(t)
	f.peek(t, menList, cache.Hit)
	f.rows = rows
	f.sets(men, 10, "mended")
	f.audited(t)
	f.peek(t, menList, cache.Stale)
}

// An outage may hide a restart of the server, which forgets the changes before it: the
// tables are audited after it.
func TestAuditAfterAnOutage(t *testing.T) {
	f := newTables(t)
	f.poll(t)
	f.err = store.ErrUnavailable
	f.poll(t)
	if _, outage := f.outage.Since(); outage == nil {
		t.Fatal("no outage")
	}
	f.err = nil
	f.sets(men, 10, "mended")
	f.poll(t)
	for range 4 {
		f.poll(t)
	}
	f.settled(t)
	f.peek(t, menList, cache.Stale)
	f.peek(t, womenList, cache.Hit)
}

// A table that counts as settled just after a change is audited once no further change
// can leave the same stamp.
func TestChangeAfterTheTableSettled(t *testing.T) {
	f := newTables(t)
	f.witness.resolution = time.Hour
	f.change(athletes, "2")
	f.settled(t)
	planned := time.Until(f.witness.tables[athletes].audit.at)
	if planned < 59*time.Minute || planned > time.Hour {
		t.Errorf("audited in %v", planned)
	}
}

// The pause between two audits doubles up to the longest, and begins anew with a change.
func TestAuditPauses(t *testing.T) {
	now := time.Unix(0, 0)
	var a audit
	a.next(now, time.Hour)
	if a.pause != firstAudit || !a.at.Equal(now.Add(firstAudit)) {
		t.Errorf("%+v", a)
	}
	for range 5 {
		a.next(now, 10*time.Minute)
	}
	if a.pause != 10*time.Minute {
		t.Errorf("%+v", a)
	}
	a.restart(now, time.Hour)
	if a.pause != firstAudit {
		t.Errorf("%+v", a)
	}
	if a.restart(now, time.Second); a.pause != time.Second {
		t.Errorf("%+v", a)
	}
	if a.next(now, time.Second); a.pause != time.Second {
		t.Errorf("%+v", a)
	}
}

// A calculation of the same time is no reason for lost rows of a table that it does not
// cover.
func TestLostRowsOfATableWithoutCalculations(t *testing.T) {
	g, next := store.NewGeneration(rankings(men, 1, 10)), store.NewGeneration(rankings(men, 2, 10))
	for name, want := range map[string]bool{athletes: false, resumes: true} {
		x := &table{name: name, rows: map[store.Scope]store.Rows{men: {Count: 10}}, of: map[store.Scope]string{men: g.Of(men)}}
		if got := x.shrunk(map[store.Scope]store.Rows{men: {Count: 1}}, next) != ""; got != want {
			t.Errorf("%s: held %v", name, got)
		}
	}
}
