package readapi_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// TestPercentOnServer: every share of up to 120 equals the server's result.
func TestPercentOnServer(t *testing.T) {
	_, db := emptyDatabase(t)
	const most = 120
	scratch.Execute(t, db, "CREATE TABLE games (n INT PRIMARY KEY)")
	scratch.Execute(t, db, "CREATE TABLE shares (part INT, whole INT, PRIMARY KEY (part, whole))")
	for n := 1; n <= most; n++ {
		scratch.Execute(t, db, "INSERT INTO games VALUES (?)", n)
	}
	scratch.Execute(t, db, "INSERT INTO shares SELECT p.n - 1, w.n FROM games p JOIN games w ON p.n - 1 <= w.n")
	scratch.Execute(t, db, "INSERT INTO shares SELECT n, n FROM games WHERE n = ?", most)
	rows, err := db.Query("SELECT s.part, s.whole, ROUND(SUM(CASE WHEN g.n <= s.part THEN 1 ELSE 0 END)*100.0/NULLIF(COUNT(*),0),1)" +
		" FROM shares s JOIN games g ON g.n <= s.whole GROUP BY s.part, s.whole")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	compared := 0
	for rows.Next() {
		var part, whole int64
		var percent sql.RawBytes
		if err := rows.Scan(&part, &whole, &percent); err != nil {
			t.Fatal(err)
		}
		if got, want := string(jsontext.AppendPercent(nil, part, whole)), string(jsontext.AppendDecimal(nil, percent)); got != want {
			t.Errorf("%d of %d: %s, the server's %s", part, whole, got, want)
		}
		compared++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if want := most*(most+1)/2 + most; compared != want {
		t.Errorf("compared %d shares, not %d", compared, want)
	}
}

// scoreTypes are the types that the score columns may have, by component.
var scoreTypes = map[string]struct {
	definition string
	number     bool // a number in /scs/leaderboard, not decimal text
}{
	"saga": {"FLOAT", true}, "sewr": {"DOUBLE", true}, "osma": {"DECIMAL(12,6)", false}, "xcri": {"INT", true},
}

// TestScoreTypes: the column's type decides whether a score of the leaderboard is
// a number or decimal text, and how many digits the mean and the deviation have.
func TestScoreTypes(t *testing.T) {
	opts := options(t)
	var db *sql.DB
	opts.Name, db = scratch.Sample(t)
	s := open(t, opts)
	before := scratch.Ask(t, s, 200, "/scs/leaderboard/{component}", texts{"component": "saga", "season_year": "2025"})
	for c, column := range scoreTypes {
		scratch.Execute(t, db, "ALTER TABLE "+readapi.ComponentTable+" MODIFY "+c+"_score "+column.definition+" NULL")
	}
	for c := range scoreTypes {
		given := texts{"component": c, "season_year": "2025"}
		a := scratch.Ask(t, s, 200, "/scs/leaderboard/{component}", given)
		rows := scratch.Decoded(t, a)["results"].([]any)
		if len(rows) < 10 {
			t.Fatalf("%s: %d rows", c, len(rows))
		}
		for _, row := range rows {
			for name, value := range row.(object) {
				column, ok := scoreTypes[strings.TrimSuffix(name, "_score")]
				if name == "component_score" {
					column, ok = scoreTypes[c], true
				}
				_, number := value.(float64)
				if ok && value != nil && number != column.number {
					t.Errorf("%s: %s of a %s is %T", c, name, column.definition, value)
				}
			}
		}
		sameFigures(t, db, s, c)
	}
	if !strings.Contains(string(before.Body), `"saga_score":"`) {
		t.Errorf("a DECIMAL is no text: %.300s", before.Body)
	}
}

// sameFigures compares the distribution of a component with the server's values, as
// Python reads and writes them.
func sameFigures(t *testing.T, db *sql.DB, s *store.Store, c string) {
	t.Helper()
	var figures [4]sql.NullFloat64
	column := c + "_score"
	err := db.QueryRow("SELECT MIN("+column+"), MAX("+column+"), AVG("+column+"), STDDEV("+column+") FROM "+readapi.ComponentTable+
		" WHERE season_year = 2025 AND division_code = 2030 AND gender_code = 'M'").Scan(&figures[0], &figures[1], &figures[2], &figures[3])
	if err != nil {
		t.Fatal(err)
	}
	a := scratch.Ask(t, s, 200, "/scs/distribution/{component}", texts{"component": c, "season_year": "2025"})
	for i, name := range []string{"min", "max", "mean", "std"} {
		want := `"` + name + `":` + string(jsontext.AppendFloat(nil, figures[i].Float64))
		if !strings.Contains(string(a.Body), want+",") {
			t.Errorf("%s: want %s in %s", c, want, a.Body)
		}
	}
}

// TestFigures: the distributions of the sample's DECIMAL columns equal the server's.
func TestFigures(t *testing.T) {
	db, s := scratch.Root(t, mariadb.Database), open(t, options(t))
	for c := range scoreTypes {
		sameFigures(t, db, s, c)
	}
}
