package readapi

import (
	"database/sql/driver"
	"strings"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
	"github.com/lewistv/xcri-proxy/store/scope"
)

// datedGroup is one division and gender of a snapshot.
type datedGroup struct {
	scope.Scope
	ranks    string // least and greatest rank
	athletes int64
}

// datedCounts are the numbers of athletes of the snapshots at one moment. A
// snapshot does not change unless it is calculated again, so a number is valid while
// the generation of its scope and its ranks stay. A change of the table without a new
// generation was made by hand: after it no number is valid.
type datedCounts struct {
	generation string      // of all calculations
	stamp      query.Stamp // of the athlete table
	groups     map[scope.Scope]datedCount
}

type datedCount struct {
	generation, ranks string
	athletes          int64
}

// explains reports whether all changes of the table between c and a later moment
// belong to calculations between them.
func (c datedCounts) explains(generation string, now query.Stamp) bool {
	if generation != c.generation {
		return true
	}
	// A second change within the same second leaves the stamp as it is.
	return now.Text == c.stamp.Text && now.Text != "" && c.stamp.Quiet
}

// datedGroups reads the groups of all snapshots with their numbers of athletes. It counts
// the athletes of groups that Totals lacks.
func datedGroups(r *query.Read) ([]datedGroup, error) {
	groups, alone, err := datedScopes(r)
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	g, err := scope.Read(r.Database)
	if err != nil {
		return nil, err
	}
	now, err := r.Changed([]string{AthleteTable})
	if err != nil {
		return nil, err
	}
	known, _ := r.State.Totals.LastNote().(datedCounts)
	if !known.explains(g.ID(), now) {
		known.groups = nil
	}
	none := (&scope.Generation{}).ID()
	var missing []*datedGroup
	next := datedCounts{g.ID(), now, map[scope.Scope]datedCount{}}
	for i := range groups {
		group := &groups[i]
		count, ok := known.groups[group.Scope]
		if generation := g.Of(group.Scope); !ok || count.generation != generation || generation == none || count.ranks != group.ranks {
			missing = append(missing, group)
			continue
		}
		group.athletes = count.athletes
	}
	all := len(missing) == len(groups)
	if all && alone {
		var rows int64
		if rows, err = countRows(r, missing); err == nil {
			r.NoteRows(AthleteTable, g.ID(), now, rows)
		}
	} else {
		err = countAthletes(r, missing, all)
	}
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		next.groups[group.Scope] = datedCount{g.Of(group.Scope), group.ranks, group.athletes}
	}
	r.State.Totals.Note(next)
	return groups, nil
}

// datedScopes reads the groups of all snapshots, and reports whether the table has no other
// rows of their days, divisions and genders. The server skips from group to group in the
// index: it reads a few entries of each.
func datedScopes(r *query.Read) (groups []datedGroup, alone bool, err error) {
	const names = "r.season_year, r.division_code, r.gender_code, r.checkpoint_date, r.algorithm_type, r.scoring_group"
	alone, found := true, map[scope.Scope]bool{}
	err = r.Rows("SELECT "+names+", MIN(r.athlete_rank), MAX(r.athlete_rank), "+lightDivision+" FROM "+AthleteTable+" r GROUP BY "+names+
		" HAVING r.checkpoint_date IS NOT NULL", nil, func(row []driver.Value) error {
		of := scopeOf(row[:4])
		if jsontext.AsInt(row[8]) != 0 {
			groups = append(groups, datedGroup{Scope: of, ranks: jsontext.AsText(row[6]) + "-" + jsontext.AsText(row[7])})
		}
		of.Season = ""
		alone = alone && !found[of]
		found[of] = true
		return nil
	})
	return groups, alone, err
}

// scopeOf reads a scope from the first columns of a row.
func scopeOf(row []driver.Value) scope.Scope {
	return scope.Scope{Season: jsontext.AsText(row[0]), Division: jsontext.AsText(row[1]),
		Gender: strings.ToUpper(jsontext.AsText(row[2])), Checkpoint: jsontext.AsText(row[3])}
}

// countRows fills in the numbers of athletes of groups, which must be all groups of the
// table, if the table has no other rows of their days, divisions and genders. It groups by
// these columns alone, so that the server can count in a smaller index. It returns the
// number of all rows of the table.
func countRows(r *query.Read, groups []*datedGroup) (all int64, err error) {
	const names = "r.checkpoint_date, r.division_code, r.gender_code"
	err = readCounts(r, groups, "SELECT NULL, r.division_code, r.gender_code, r.checkpoint_date, COUNT(*) FROM "+AthleteTable+
		" r GROUP BY "+names, nil, func(n int64) { all += n })
	return all, err
}

// countAthletes fills in the numbers of athletes of groups; all means that they are all
// groups of the table.
func countAthletes(r *query.Read, groups []*datedGroup, all bool) error {
	if len(groups) == 0 {
		return nil
	}
	const names = "r.season_year, r.division_code, r.gender_code, r.checkpoint_date"
	condition := "r.checkpoint_date IS NOT NULL"
	var args []any
	var some []string
	if !all {
		for _, g := range groups {
			some = append(some, "(r.season_year = ? AND r.division_code = ? AND r.gender_code = ? AND r.checkpoint_date = ? AND "+lightDivision+")")
			args = append(args, param.ClampInt(g.Season), param.ClampInt(g.Division), g.Gender, g.Checkpoint)
		}
		condition = "(" + strings.Join(some, " OR ") + ")"
	}
	return readCounts(r, groups, "SELECT "+names+", COUNT(*) FROM "+AthleteTable+" r WHERE "+condition+" AND "+lightDivision+" GROUP BY "+names, args, func(int64) {})
}

// readCounts fills in the numbers of athletes of groups from the rows of a statement, each with
// a scope and a number, and calls each with the number. The season is NULL if the other
// columns name the group.
func readCounts(r *query.Read, groups []*datedGroup, text string, args []any, each func(n int64)) error {
	at := map[scope.Scope]*datedGroup{}
	for _, g := range groups {
		at[g.Scope] = g
		at[scope.Scope{Division: g.Division, Gender: g.Gender, Checkpoint: g.Checkpoint}] = g
	}
	return r.Rows(text, args, func(row []driver.Value) error {
		n := jsontext.AsInt(row[4])
		if each(n); row[3] == nil {
			return nil // live
		}
		if g := at[scopeOf(row)]; g != nil {
			g.athletes = n
		}
		return nil
	})
}
