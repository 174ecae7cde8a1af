package readapi

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// snapshotRow is a division and gender of a snapshot, as the tables hold it.
type snapshotRow struct {
	gender, day            string
	ranks, id, athletes    int64 // id 0 means that no calculation names the scope
	counted, countedBefore int   // by statements
}

// snapshotTables answers the statements of /snapshots/.
type snapshotTables struct {
	rows    []*snapshotRow
	updated string // of the athlete table
	quiet   int64
	others  bool // rows of another algorithm have the same days
	whole   int  // statements that count all rows
}

func (d *snapshotTables) Rows(statement string, args []any, row func([]driver.Value) error) error {
	if strings.Contains(statement, "information_schema") {
		return row([]driver.Value{AthleteTable, "09:00", d.updated, int64(0), d.quiet})
	}
	if placed := strings.Count(statement, "?"); placed != len(args) {
		return fmt.Errorf("%d values for %d places", len(args), placed)
	}
	counts := strings.Contains(statement, ", COUNT(*) FROM "+AthleteTable)
	if counts && len(args) == 0 {
		d.whole++
		if narrow := strings.HasPrefix(statement, "SELECT NULL"); narrow == d.others {
			return fmt.Errorf("other rows: %t, %s", d.others, statement)
		} else if narrow {
			if err := row([]driver.Value{nil, int64(2030), "M", nil, int64(99)}); err != nil { // live
				return err
			}
		}
	}
	if d.others && strings.Contains(statement, "MIN(r.athlete_rank)") {
		if err := row([]driver.Value{int64(2025), int64(2030), "M", "2025-10-20", "heavy", "division", int64(1), int64(9), int64(0)}); err != nil {
			return err
		}
	}
	for _, r := range d.rows {
		scope := []driver.Value{int64(2025), int64(2030), r.gender, r.day}
		var values []driver.Value
		switch {
		case counts:
			if len(args) > 0 && !slices.Equal(args, []any{int64(2025), int64(2030), r.gender, r.day}) {
				continue
			}
			r.counted++
			if len(args) == 0 && !d.others {
				scope[0] = nil
			}
			values = append(scope, r.athletes)
		case strings.Contains(statement, "MIN(r.athlete_rank)"):
			values = append(scope, "light", "division", int64(1), r.ranks, int64(1))
		case r.id == 0:
			continue
		default: // the calculations
			values = append(scope, int64(1), r.id, "2025-10-20 10:00:00", int64(1), int64(2), int64(2))
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return nil
}

// TestSnapshotsAreCountedOnce: the athletes of a snapshot are counted again if its
// calculation or its ranks have changed, or if no calculation explains a change of the table.
func TestSnapshotsAreCountedOnce(t *testing.T) {
	men, women := &snapshotRow{gender: "M", day: "2025-10-20", ranks: 30, id: 7, athletes: 30}, &snapshotRow{gender: "F", day: "2025-10-20", ranks: 20, id: 8, athletes: 20}
	later := &snapshotRow{gender: "M", day: "2025-10-27", ranks: 5, id: 0, athletes: 5}
	db := &snapshotTables{rows: []*snapshotRow{men, women}, updated: "10:00", quiet: 1}
	at := State{Totals: new(Totals), Began: time.Now().Add(time.Hour)}
	e := endpoints[slices.IndexFunc(endpoints, func(e *Endpoint) bool { return e.Path == "/snapshots/" })]
	for _, step := range []struct {
		name    string
		change  func()
		counted []*snapshotRow
		whole   int
	}{
		{"first", func() {}, []*snapshotRow{men, women}, 1},
		{"again", func() {}, nil, 0},
		{"a calculation with the same ranks", func() { men.id, men.athletes, db.updated = 9, 29, "10:01" }, []*snapshotRow{men}, 0},
		{"after it", func() {}, nil, 0},
		{"other ranks, with the same stamp", func() { women.ranks, women.athletes = 19, 19 }, []*snapshotRow{women}, 0},
		{"a change without a calculation", func() { db.updated, men.athletes = "10:02", 28 }, []*snapshotRow{men, women}, 1},
		{"a change just now", func() { db.quiet = 0 }, nil, 0},
		{"a change since, with the same stamp", func() { men.athletes = 27 }, []*snapshotRow{men, women}, 1},
		{"no stamp", func() { db.quiet, db.updated = 1, "" }, []*snapshotRow{men, women}, 1},
		{"no stamp again", func() {}, []*snapshotRow{men, women}, 1},
		{"a stamp", func() { db.updated = "10:03" }, []*snapshotRow{men, women}, 1},
		{"rows of another algorithm", func() { db.others, db.updated = true, "10:04" }, []*snapshotRow{men, women}, 1},
		{"a new snapshot without a calculation", func() { db.rows = append(db.rows, later) }, []*snapshotRow{later}, 0},
		{"the same", func() {}, []*snapshotRow{later}, 0},
		{"its calculation", func() { later.id = 10 }, []*snapshotRow{later}, 0},
		{"all known", func() {}, nil, 0},
		{"no snapshots", func() { db.rows = nil }, nil, 0},
	} {
		step.change()
		for _, r := range []*snapshotRow{men, women, later} {
			r.countedBefore = r.counted
		}
		whole := db.whole
		a, err := Query{Endpoint: e}.Run(db, at)
		if err != nil || db.whole-whole != step.whole {
			t.Errorf("%s: %v, %d counts of all rows", step.name, err, db.whole-whole)
		}
		for _, r := range db.rows {
			if got := r.counted > r.countedBefore; got != slices.Contains(step.counted, r) {
				t.Errorf("%s: %s %s is counted: %t", step.name, r.gender, r.day, got)
			}
		}
		if want := men.athletes + women.athletes; len(db.rows) > 0 && !strings.Contains(string(a.Body), `"total_athletes":`+strconv.FormatInt(want, 10)+",") {
			t.Errorf("%s: %s, want %d athletes", step.name, a.Body, want)
		}
	}
}
