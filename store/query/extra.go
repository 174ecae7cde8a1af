package query

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// Extra holds columns that an operator adds to the answers about a resource. The
// tables, and with them the old API's answers, may get columns that this program does
// not know. A nil Extra adds none. It is safe for concurrent use.
type Extra struct {
	resources map[string]*Selection
	columns   map[string][]string // by table

	mu    sync.Mutex
	built map[*Selection]*Selection // with the extra columns
}

var extraName = regexp.MustCompile(`^([a-z-]+)\.([A-Za-z_][A-Za-z0-9_]{0,63})$`)

// NewExtra reads names such as athletes.national_rank. resources are the answers
// that show a whole row of a table, by the first part of a name.
func NewExtra(resources map[string]*Selection, names []string) (*Extra, error) {
	x := &Extra{resources: resources, columns: map[string][]string{}, built: map[*Selection]*Selection{}}
	for _, name := range names {
		parts := extraName.FindStringSubmatch(name)
		if parts == nil || resources[parts[1]] == nil {
			return nil, fmt.Errorf("extra column %q: want RESOURCE.COLUMN, where RESOURCE is one of %s",
				name, strings.Join(slices.Sorted(maps.Keys(resources)), ", "))
		}
		s := resources[parts[1]]
		if slices.Contains(s.names(), parts[2]) || slices.Contains(x.columns[s.Table], parts[2]) {
			return nil, fmt.Errorf("extra column %q: the answers show it already", name)
		}
		x.columns[s.Table] = append(x.columns[s.Table], parts[2])
	}
	return x, nil
}

// names returns the names of the selection's columns.
func (s *Selection) names() (names []string) {
	for _, c := range s.Columns {
		names = append(names, c.Name)
	}
	return names
}

// Tables returns the extra columns by table.
func (x *Extra) Tables() map[string][]string {
	if x == nil {
		return nil
	}
	return x.columns
}

// in returns s with the extra columns after its own.
func (x *Extra) in(s *Selection, db Database) (*Selection, error) {
	if len(x.Tables()[s.Table]) == 0 {
		return s, nil
	}
	x.mu.Lock()
	built := x.built[s]
	x.mu.Unlock()
	if built != nil {
		return built, nil
	}
	more := *s
	more.Columns = slices.Clone(s.Columns)
	err := eachColumn(db, s.Table, func(name, sqlType string) {
		if slices.Contains(x.columns[s.Table], name) {
			more.Columns = append(more.Columns, Column{name, kindOf(sqlType), "r.`" + name + "`"})
		}
	})
	if err != nil {
		return nil, err
	}
	built = more.Build()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.built[s] = built
	return built, nil
}

// eachColumn calls see for each column of a table, in the table's order.
func eachColumn(db Database, table string, see func(name, sqlType string)) error {
	return db.Rows("SELECT column_name, data_type FROM information_schema.columns"+
		" WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position", []any{table},
		func(row []driver.Value) error {
			see(jsontext.AsText(row[0]), jsontext.AsText(row[1]))
			return nil
		})
}

// kindOf returns the encoding of an SQL type: the old API's encoding of a field of
// that type.
func kindOf(sqlType string) jsontext.Kind {
	switch strings.ToLower(sqlType) {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "year":
		return jsontext.Integer
	case "decimal", "float", "double":
		return jsontext.Float
	case "date":
		return jsontext.Date
	case "datetime", "timestamp":
		return jsontext.DateTime
	}
	return jsontext.Text
}

// Unshown returns the columns that the resources' tables have and no answer
// shows, by table.
func (x *Extra) Unshown(db Database) (map[string][]string, error) {
	unshown := map[string][]string{}
	for _, s := range x.resources {
		shown := append(s.names(), x.Tables()[s.Table]...)
		err := eachColumn(db, s.Table, func(name, _ string) {
			if !slices.Contains(shown, name) {
				unshown[s.Table] = append(unshown[s.Table], name)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return unshown, nil
}
