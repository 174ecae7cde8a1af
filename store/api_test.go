package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/readapi"
)

// TestReadsBesideTheEndpoints: a Store also reads the state of its server and its tables:
// the capacity, the sums of a table's rows, and the columns that no answer shows.
func TestReadsBesideTheEndpoints(t *testing.T) {
	opts, db := emptyTables(t)
	execute(t, db, "ALTER TABLE "+readapi.AthleteTable+" ADD COLUMN national_rank INT")
	insert(t, db, readapi.AthleteTable, nil)
	opts.MaxConns = 3
	s := open(t, opts)
	if err := s.Ping(t.Context()); err != nil || s.Unset() != nil {
		t.Errorf("%v, %v", err, s.Unset())
	}
	if c, err := s.Capacity(t.Context()); err != nil || c.Wanted != 3 || c.Server == 0 || c.Used == 0 || c.AccountUsed == 0 || c.Ours != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	rows, err := s.ScopeRows(t.Context(), readapi.AthleteTable)
	if want := (Scope{Season: "1990", Division: "2030", Gender: "M", Checkpoint: Live}); err != nil || len(rows) != 1 || rows[want].Count != 1 {
		t.Errorf("%v, %v", rows, err)
	}
	before := map[Scope]Rows{}
	if changed := Changed(before, rows); len(changed) != 1 || changed[0].Season != "1990" {
		t.Errorf("%v", changed)
	}
	columns, err := s.Unshown(t.Context())
	if err != nil || !slices.Contains(columns[readapi.AthleteTable], "national_rank") {
		t.Errorf("%v, %v", columns, err)
	}
	shown, err := Open(opts, "athletes.national_rank")
	if err != nil {
		t.Fatal(err)
	}
	defer shown.Close()
	columns, err = shown.Unshown(t.Context())
	if err != nil || slices.Contains(columns[readapi.AthleteTable], "national_rank") || shown.Check(t.Context()) != nil {
		t.Errorf("shown: %v, %v", columns, err)
	}
	if _, err := Open(opts, "athletes."); err == nil {
		t.Error("a column without a name")
	}
	if _, err := Open(Options{Host: "a", TLS: TLS{Mode: "verify", CA: "/nowhere"}}); err == nil {
		t.Error("authorities that cannot be read")
	}
}

// TestFailedReadsAreReported: each read reports the failure of its statement, and returns
// nothing.
func TestFailedReadsAreReported(t *testing.T) {
	opts, _ := emptyDatabase(t)
	s := open(t, opts)
	if rows, err := s.ScopeRows(t.Context(), readapi.AthleteTable); len(rows) > 0 || err == nil {
		t.Errorf("%v, %v", rows, err)
	}
	if subjects, err := s.Subjects(t.Context(), Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: Live}); subjects != nil || ClassOf(err) != Setup {
		t.Errorf("%v, %v", subjects, err)
	}
	if g, err := s.Generation(t.Context()); g != nil || !errors.Is(err, ErrSetup) {
		t.Errorf("%v, %v", g, err)
	}
	if err := s.Check(t.Context()); ReasonOf(err) != NoTable {
		t.Error(err)
	}
	if a, err := s.Run(t.Context(), query(t, "/teams/", nil)); err == nil || a.Body != nil || a.Status != 0 || a.Generation != "" {
		t.Errorf("%+v, %v", a, err)
	}
	opts, db := emptyTables(t)
	all := readapi.Tables()
	execute(t, db, "DROP TABLE "+all[len(all)-1])
	if err := open(t, opts).Check(t.Context()); ReasonOf(err) != NoTable {
		t.Errorf("without the last table: %v", err)
	}
	execute(t, db, "DROP TABLE "+readapi.TeamTable)
	if a, err := open(t, opts).Run(t.Context(), query(t, "/teams/", nil)); ReasonOf(err) != NoTable || a.Body != nil || a.Status != 0 || a.Generation != "" {
		t.Errorf("after the generation: %+v, %v", a, err)
	}
	execute(t, db, "DROP TABLE "+readapi.MetadataTable)
	if a, err := open(t, opts).Run(t.Context(), query(t, "/team-knockout/", nil)); ReasonOf(err) != NoTable || a.Status != 0 {
		t.Errorf("without a generation: %+v, %v", a, err)
	}
	opts = options(t)
	opts.Password = "wrong"
	s = open(t, opts)
	if c, err := s.Capacity(t.Context()); c != (Capacity{}) || ReasonOf(err) != Denied {
		t.Errorf("%+v, %v", c, err)
	}
	if err := s.Ping(t.Context()); ReasonOf(err) != Denied {
		t.Error(err)
	}
	if columns, err := s.Unshown(t.Context()); columns != nil || ReasonOf(err) != Denied {
		t.Errorf("%v, %v", columns, err)
	}
}

// TestPollsFindStamps: a stamp that a poll has found is known to the reads that follow.
func TestPollsFindStamps(t *testing.T) {
	s := open(t, options(t))
	g, err := s.Generation(t.Context())
	if err != nil || len(g.Stamps()) == 0 {
		t.Fatal(g, err)
	}
	later := time.Now().Add(time.Hour)
	if first := s.totals.See(g.Stamps(), later); !first.Before(later) {
		t.Errorf("first found at %v", first)
	}
}

// TestNamesOfThePackage: the names under which this package offers parts of those below it
// stand for the same values.
func TestNamesOfThePackage(t *testing.T) {
	scope, err := ParseScope("2025/2030/M/live")
	if err != nil || scope != (Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: Live}) {
		t.Errorf("%+v, %v", scope, err)
	}
	pattern, err := ParsePattern("2025/*/*/*")
	if err != nil || pattern != (Scope{Season: "2025"}) {
		t.Errorf("%+v, %v", pattern, err)
	}
	if _, err := ParsePattern("2025"); err == nil {
		t.Error("a pattern of one part")
	}
	if g := NewGeneration(Calculation{Scope: scope, ID: 1}); g.Of(scope) == "" || g.ID() == NewGeneration().ID() {
		t.Errorf("%s", g.ID())
	}
	if !slices.Equal(Endpoints(), readapi.Endpoints()) || !slices.Equal(UncoveredTables(), readapi.UncoveredTables()) {
		t.Error("other endpoints, or tables")
	}
	wrong := fmt.Errorf("open: %w", &dberror.SetupError{Reason: Blocked, Err: errors.New("blocked")})
	if ReasonOf(wrong) != Blocked || ClassOf(dberror.Wrap("open", wrong)) != Setup {
		t.Errorf("%v, %v", ReasonOf(wrong), ClassOf(wrong))
	}
}
