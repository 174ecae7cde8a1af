package readapi_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// TestOrder: the rows of an answer have one order only: their last order is by the primary
// key. Rows with other orders are distinct in it, or are equal if they tie in it.
func TestOrder(t *testing.T) {
	s := open(t, options(t))
	_, db := emptyTables(t)
	rows, err := db.Query("SELECT DISTINCT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND column_key = 'PRI'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var keys []string
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if err := rows.Err(); err != nil || len(keys) < 5 {
		t.Fatalf("primary keys %v, %v", keys, err)
	}
	ordered := 0
	for _, e := range readapi.Endpoints() {
		watched := *e
		watched.Answer = func(r *readapi.Read) error {
			r.Database = spy{r.Database, func(statement string) {
				if by := lastOrder.FindStringSubmatch(statement); by != nil {
					ordered++
					if !slices.Contains(keys, by[1]) && !distinct(statement, by[1]) {
						t.Errorf("%s: rows that tie in their order by %s come in any order: end Order with the primary key", e.Path, by[1])
					}
				}
			}}
			return e.Answer(r)
		}
		for _, given := range likely(t, e) {
			if q, problem := scratch.Question(&watched, given); problem == param.OK {
				if _, err := s.Run(t.Context(), q); err != nil {
					t.Errorf("%s %v: %v", e.Path, given, err)
				}
			}
		}
	}
	if ordered < 50 {
		t.Errorf("only %d statements with an order", ordered)
	}
}

// lastOrder finds the last column of a statement's order.
var lastOrder = regexp.MustCompile(`.* ORDER BY .*?\b([a-z0-9_]+)(?: DESC)?(?: LIMIT [0-9?]+)?(?: OFFSET [0-9?]+)?$`)

// distinct reports whether the rows of a statement are groups by the last column of its
// order, or have no other column.
func distinct(statement, column string) bool {
	_, groups, _ := strings.Cut(statement, " GROUP BY ")
	groups, _, _ = strings.Cut(groups, " ORDER BY ")
	return strings.HasSuffix(groups, column) || strings.HasPrefix(statement, "SELECT r."+column+" FROM ")
}
