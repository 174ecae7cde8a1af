package readapi_test

import (
	"cmp"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// sample is a set of numbers of one column's type, as the server writes them.
type sample struct {
	name             string
	precision, scale int
	numbers          []string
}

func (s sample) decimals() (all []jsontext.Number) {
	for _, n := range s.numbers {
		all = append(all, jsontext.ParseNumber([]byte(n)))
	}
	return all
}

// samples are what averages are tried on: many sizes, signs, ties.
func samples() (all []sample) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, size := range [][2]int{{10, 4}, {10, 2}, {6, 4}} {
		add := func(name string, numbers []string) {
			name = fmt.Sprintf("%s of %d in DECIMAL(%d,%d)", name, len(numbers), size[0], size[1])
			all = append(all, sample{name, size[0], size[1], numbers})
		}
		many := func(n int, next func(i int) string) (numbers []string) {
			for i := range n {
				numbers = append(numbers, next(i))
			}
			return numbers
		}
		for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 17, 31, 32, 57, 64, 99, 100, 128, 255, 256, 333, 400} {
			add("any", many(n, func(int) string { return randomDecimal(random, size[0], size[1]) }))
			one := randomDecimal(random, size[0], size[1])
			add("equal", many(n, func(int) string { return one }))
			// One unit of the last digit among zeros: the mean's last digit is
			// often a tie.
			add("tiny", many(n, func(i int) string { return fmt.Sprintf("%.*f", size[1], unit(i == 0, size[1])) }))
			add("tiny negative", many(n, func(i int) string { return fmt.Sprintf("%.*f", size[1], -unit(i == 0, size[1])) }))
			add("close", many(n, func(int) string { return fmt.Sprintf("%.*f", size[1], 10+float64(random.IntN(50))/100) }))
		}
		add("zeros", many(3, func(int) string { return "0" }))
	}
	return all
}

// randomDecimal is a value of DECIMAL(precision, scale) as the server writes it.
func randomDecimal(random *rand.Rand, precision, scale int) string {
	n := random.Uint64N(uint64(math.Pow10(random.IntN(precision) + 1)))
	s := fmt.Sprintf("%0*d", scale+1, n)
	s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	if n != 0 && random.IntN(3) == 0 {
		s = "-" + s
	}
	return s
}

func numeric(t *testing.T, n jsontext.Number) float64 {
	f, err := strconv.ParseFloat(string(n.Text()), 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// unit is the least number of a scale, or zero.
func unit(yes bool, scale int) float64 {
	if !yes {
		return 0
	}
	return []float64{1, 0.1, 0.01, 0.001, 0.0001}[scale]
}

// TestStatistics holds the averages and deviations against the server's own.
func TestStatistics(t *testing.T) {
	_, db := emptyDatabase(t)
	for _, size := range []string{"10,4", "10,2", "6,4"} {
		scratch.Execute(t, db, "CREATE TABLE numbers"+strings.ReplaceAll(size, ",", "_")+" (s INT, n INT, x DECIMAL("+size+"), PRIMARY KEY (s, n))")
	}
	all := samples()
	for i, s := range all {
		table := fmt.Sprintf("numbers%d_%d", s.precision, s.scale)
		var rows []string
		for n, x := range s.numbers {
			rows = append(rows, fmt.Sprintf("(%d,%d,%s)", i, n, x))
		}
		scratch.Execute(t, db, "INSERT INTO "+table+" VALUES "+strings.Join(rows, ","))
		var mean, sum, deviation string
		// Without arguments, for as text a deviation has eight digits: the old
		// API reads it so.
		question := fmt.Sprintf("SELECT AVG(x), SUM(x), STDDEV(x) FROM %s WHERE s = %d", table, i)
		if err := db.QueryRow(question).Scan(&mean, &sum, &deviation); err != nil {
			t.Fatal(err)
		}
		numbers := s.decimals()
		n := int64(len(numbers))
		if got, want := string(jsontext.AppendMean(nil, jsontext.Sum(numbers), n, s.scale)), string(jsontext.AppendDecimal(nil, []byte(mean))); got != want {
			t.Errorf("%s: the mean is %s, the server's %s", s.name, got, want)
		}
		if got, want := string(jsontext.AppendMean(nil, jsontext.ParseNumber([]byte(sum)), n, s.scale)), string(jsontext.AppendDecimal(nil, []byte(mean))); got != want {
			t.Errorf("%s: the mean by the server's sum is %s, the server's %s", s.name, got, want)
		}
		if s.scale != 4 {
			continue // the server shows four digits more than the column has: eight of a score
		}
		slices.SortFunc(numbers, func(a, b jsontext.Number) int { return cmp.Compare(numeric(t, a), numeric(t, b)) })
		if got, want := string(jsontext.AppendDeviation(nil, numbers)), string(jsontext.AppendDecimal(nil, []byte(deviation))); got != want {
			t.Errorf("%s: the deviation is %s, the server's %s", s.name, got, want)
		}
	}
	for name, got := range map[string][]byte{
		"mean": jsontext.AppendMean(nil, jsontext.Sum(nil), 0, 4), "deviation": jsontext.AppendDeviation(nil, nil),
	} {
		if string(got) != "null" {
			t.Errorf("the %s of nothing is %s", name, got)
		}
	}
}

// TestPercent holds each share of up to 120 against the server's.
func TestPercent(t *testing.T) {
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
