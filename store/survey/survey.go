// Package survey reads a server's description of itself and of our account: its
// version, the account's rights, and the use of connections. It is for the check of an
// installation; no answer depends on it.
package survey

import (
	"database/sql/driver"
	"regexp"
	"slices"
	"strings"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// Database runs a query. See scope.Database.
type Database interface {
	Rows(query string, args []any, row func([]driver.Value) error) error
}

// Survey describes a server and our account there.
type Survey struct {
	Version string // such as 10.11.14-MariaDB
	Account string // the account that the server has matched, as user@host
	// Rights are the privileges of the account by the object that they are for, such
	// as SELECT for `web4`.*.
	Rights map[string][]string
	// Hourly are the account's limits on use in an hour, such as MAX_QUERIES_PER_HOUR 100.
	// MySQL does not show them.
	Hourly []string
	// Peak is the highest number of concurrent connections, of all accounts, since the
	// server's start.
	Peak int
}

// Read reads the Survey.
func Read(db Database) (Survey, error) {
	s := Survey{Rights: map[string][]string{}}
	for _, q := range []struct {
		text string
		row  func([]driver.Value) error
	}{
		{"SELECT VERSION(), CURRENT_USER()", func(row []driver.Value) error {
			s.Version, s.Account = jsontext.AsText(row[0]), jsontext.AsText(row[1])
			return nil
		}},
		{"SHOW GRANTS", func(row []driver.Value) error {
			s.Hourly = append(s.Hourly, hourly.FindAllString(jsontext.AsText(row[0]), -1)...)
			if on, privileges := parseGrant(jsontext.AsText(row[0])); on != "" {
				s.Rights[on] = append(s.Rights[on], privileges...)
			}
			return nil
		}},
		{"SHOW GLOBAL STATUS LIKE 'Max_used_connections'", func(row []driver.Value) error {
			s.Peak = int(jsontext.AsInt(row[1]))
			return nil
		}},
	} {
		if err := db.Rows(q.text, nil, q.row); err != nil {
			return s, err
		}
	}
	return s, nil
}

// A line of SHOW GRANTS. The columns of a privilege stand in parentheses. Source: the
// manuals of MySQL 8.0 and MariaDB, SHOW GRANTS.
var (
	grantLine = regexp.MustCompile(`^GRANT (.+?) ON (.+?) TO `)
	inParens  = regexp.MustCompile(` ?\([^)]*\)`)
	hourly    = regexp.MustCompile(`\bMAX_(QUERIES|CONNECTIONS)_PER_HOUR \d+`)
)

// parseGrant returns the object and the privileges of a line of SHOW GRANTS; no
// object for a line about roles.
func parseGrant(line string) (on string, privileges []string) {
	m := grantLine.FindStringSubmatch(line)
	if m == nil {
		return "", nil
	}
	for privilege := range strings.SplitSeq(inParens.ReplaceAllString(m[1], ""), ",") {
		privileges = append(privileges, strings.TrimSpace(privilege)) // MySQL's own have no space between them
	}
	return m[2], privileges
}

// readOnly are the privileges that change nothing, neither data nor the server.
var readOnly = []string{
	"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "PROCESS", "REPLICATION CLIENT", "BINLOG MONITOR", "SLAVE MONITOR", "REPLICA MONITOR",
}

// Beyond returns the account's privileges beyond reading, sorted.
func (s Survey) Beyond() (privileges []string) {
	for _, granted := range s.Rights {
		for _, p := range granted {
			if !slices.Contains(readOnly, p) {
				privileges = append(privileges, p)
			}
		}
	}
	slices.Sort(privileges)
	return slices.Compact(privileges)
}

// IsMariaDB reports whether the server names itself MariaDB.
func (s Survey) IsMariaDB() bool { return strings.Contains(s.Version, "MariaDB") }
