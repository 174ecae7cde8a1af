package survey

import (
	"database/sql/driver"
	"errors"
	"maps"
	"slices"
	"testing"
)

// server answers queries with fixed rows, and fails the query fails.
type server struct {
	rows  map[string][][]driver.Value
	fails string
}

var errNo = errors.New("no")

func (s server) Rows(query string, _ []any, row func([]driver.Value) error) error {
	if query == s.fails {
		return errNo
	}
	for _, r := range s.rows[query] {
		if err := row(r); err != nil {
			return err
		}
	}
	return nil
}

const (
	who    = "SELECT VERSION(), CURRENT_USER()"
	grants = "SHOW GRANTS"
	peak   = "SHOW GLOBAL STATUS LIKE 'Max_used_connections'"
)

func text(s string) driver.Value { return []byte(s) }

// The grants of MariaDB and MySQL are read alike: by object, without the columns and the
// options of a privilege, and without lines about roles. Rights on one object in several
// lines add up.
func TestRead(t *testing.T) {
	s := server{rows: map[string][][]driver.Value{
		who: {{text("8.0.36"), text("reader@10.0.0.%")}},
		grants: {
			{text("GRANT USAGE ON *.* TO `reader`@`10.0.0.%` IDENTIFIED BY PASSWORD '*1' REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 100 MAX_UPDATES_PER_HOUR 3 MAX_CONNECTIONS_PER_HOUR 9")},
			{text("GRANT SELECT (`id`, `name`), INSERT (`id`), SHOW VIEW ON `web4`.`teams` TO `reader`@`10.0.0.%` WITH GRANT OPTION")},
			{text("GRANT DELETE ON `web4`.`teams` TO `reader`@`10.0.0.%`")},
			{text("GRANT BACKUP_ADMIN,PROCESS ON *.* TO `reader`@`10.0.0.%`")},
			{text("GRANT `analyst`@`%` TO `reader`@`10.0.0.%`")},
			{text("SET DEFAULT ROLE `analyst` FOR `reader`@`10.0.0.%`")},
		},
		peak: {{text("Max_used_connections"), text("151")}},
	}}
	got, err := Read(s)
	if err != nil || got.Version != "8.0.36" || got.Account != "reader@10.0.0.%" || got.Peak != 151 || got.IsMariaDB() {
		t.Errorf("%+v, %v", got, err)
	}
	if want := []string{"MAX_QUERIES_PER_HOUR 100", "MAX_CONNECTIONS_PER_HOUR 9"}; !slices.Equal(got.Hourly, want) {
		t.Errorf("limits %v, want %v", got.Hourly, want)
	}
	want := map[string][]string{"*.*": {"USAGE", "BACKUP_ADMIN", "PROCESS"}, "`web4`.`teams`": {"SELECT", "INSERT", "SHOW VIEW", "DELETE"}}
	if !maps.EqualFunc(got.Rights, want, slices.Equal[[]string]) {
		t.Errorf("%q, want %q", got.Rights, want)
	}
	if beyond := got.Beyond(); !slices.Equal(beyond, []string{"BACKUP_ADMIN", "DELETE", "INSERT"}) {
		t.Errorf("%q beyond reading", beyond)
	}
}

// A failed query is reported, and the answers before it are returned with its error.
func TestReadFails(t *testing.T) {
	rows := map[string][][]driver.Value{who: {{text("10.11.14-MariaDB"), text("a@b")}}}
	for query, known := range map[string]bool{who: false, grants: true, peak: true} {
		got, err := Read(server{rows, query})
		if !errors.Is(err, errNo) || got.IsMariaDB() != known {
			t.Errorf("%s: %+v, %v", query, got, err)
		}
	}
}
