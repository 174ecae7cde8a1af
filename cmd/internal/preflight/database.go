package preflight

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/app"
	"github.com/lewistv/xcri-proxy/proxy/plural"
	"github.com/lewistv/xcri-proxy/store"
)

// callTimeout limits one call of the database.
const callTimeout = 10 * time.Second

// remedyFor returns the remedy for a database that does not answer, or refuses.
func remedyFor(i *inspection, err error) string {
	if errors.Is(err, store.ErrSetup) {
		return app.Advice(err, i.cfg.Database)
	}
	return "check DATABASE_HOST and DATABASE_PORT, or DATABASE_SOCKET, and that the server runs"
}

func checkDatabase(i *inspection, ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	begun := time.Now()
	if err := i.store.Ping(ctx); err != nil {
		return noGo(remedyFor(i, err), "%v", err)
	}
	d, at := i.cfg.Database, i.cfg.Database.Socket
	if at == "" {
		at = d.Host + ":" + strconv.Itoa(d.Port)
	}
	return pass("%s answers %s at %s in %s", d.User, d.Name, at, round(time.Since(begun)))
}

// versions holds the oldest version of a server that has everything the proxy needs, and
// the oldest version with which the tests ran. README.md names both.
type versions struct {
	name           string
	needed, tested [2]int
}

var (
	mariaDB     = versions{"MariaDB", [2]int{10, 5}, [2]int{10, 11}}
	mySQL       = versions{"MySQL", [2]int{8, 0}, [2]int{9, 7}}
	versionText = regexp.MustCompile(`(\d+)\.(\d+)\.\d+`)
)

func checkVersion(i *inspection, ctx context.Context) finding {
	s, err := i.store.Survey(ctx)
	if err != nil {
		return warn("compare SELECT VERSION() with the versions in README.md", "the version is not known: %v", err)
	}
	return versionFinding(s)
}

func versionFinding(s store.Survey) finding {
	oldest, text := mySQL, s.Version
	if s.IsMariaDB() {
		// MariaDB may put 5.5.5- before its version, for old clients.
		oldest, text = mariaDB, strings.TrimPrefix(text, "5.5.5-")
	}
	m := versionText.FindStringSubmatch(text)
	if m == nil {
		return warn("compare with the versions in README.md", "a version that is not known: %s", s.Version)
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	older := func(than [2]int) bool { return slices.Compare([]int{major, minor}, than[:]) < 0 }
	switch {
	case older(oldest.needed):
		return noGo(fmt.Sprintf("use %s %d.%d or later", oldest.name, oldest.needed[0], oldest.needed[1]), "%s %s is too old", oldest.name, m[0])
	case older(oldest.tested):
		return warn("compare answers with verify before the switch", "%s %s is older than any that was tested", oldest.name, m[0])
	}
	return pass("%s", s.Version)
}

// checkRights checks that the account can read only. The tables themselves are checked
// by reading them.
func checkRights(i *inspection, ctx context.Context) finding {
	s, err := i.store.Survey(ctx)
	if err != nil {
		return warn("compare SHOW GRANTS with the account in config/deploy/README.md", "the rights are not known: %v", err)
	}
	if beyond := s.Beyond(); beyond != nil {
		return warn("use an account that may only SELECT", "%s may do more than read: %s", s.Account, strings.Join(beyond, ", "))
	}
	return pass("%s may read and nothing else", s.Account)
}

// checkConnections compares DATABASE_MAX_CONNS with the limits of the server and of the
// account, with their use by others now, and with the highest use since the server's
// start.
func checkConnections(i *inspection, ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := i.store.Capacity(ctx)
	if err != nil {
		return warn("compare DATABASE_MAX_CONNS with max_connections and MAX_USER_CONNECTIONS", "the limits are not known: %v", err)
	}
	s, err := i.store.Survey(ctx)
	if err != nil {
		return warn("compare DATABASE_MAX_CONNS with max_connections", "the highest use is not known: %v", err)
	}
	i.capacity = c
	if f := connectionsFinding(c, s.Peak); f.Verdict == NoGo || len(s.Hourly) == 0 {
		return f
	}
	return warn("set the limits to 0 (ALTER USER … WITH …): polls alone send two statements each GENERATION_POLL, and connections are opened anew every three minutes",
		"the account is limited in each hour: %s", strings.Join(s.Hourly, ", "))
}

func connectionsFinding(c store.Capacity, peak int) finding {
	const remedy = "lower DATABASE_MAX_CONNS, or raise MAX_USER_CONNECTIONS of the account or max_connections of the server"
	account := "the account has no limit"
	if c.Account > 0 {
		account = fmt.Sprintf("the account has %d of at most %d", c.AccountUsed, c.Account)
	}
	budget := fmt.Sprintf("DATABASE_MAX_CONNS is %d; the server has %d of %d, other accounts %d of them; %s", c.Wanted, c.Used, c.Server, c.Used-c.AccountUsed, account)
	switch room := c.Room(); {
	case room < min(2, c.Wanted):
		return noGo(remedy, "no room for two connections: %s", budget)
	case room < c.Wanted:
		return warn(remedy, "room for %s, so that reads wait: %s", plural.Of(room, "connection"), budget)
	case peak+c.Wanted > c.Server:
		return warn(remedy, "at the highest use since the server's start, %d connections, there was no room: %s", peak, budget)
	case c.Account > 0 && c.Account < 2*c.Wanted:
		return pass("%s; an upgrade by hand-over without systemd needs %d for a moment, and waits with fewer", budget, 2*c.Wanted)
	}
	return pass("%s", budget)
}

// checkSession checks that the server lets us set the variables of a session.
func checkSession(i *inspection, ctx context.Context) finding {
	if err := i.store.Unset(); err != nil {
		return warn("allow the account to set them, or check their global values", "the session keeps values of the server: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return pass("the server accepts all variables of a session, and limits a statement to %v", i.cfg.Database.StatementTimeout)
}

// checkCancel checks that the server ends a statement whose client has left. Otherwise slow
// statements pile up.
func checkCancel(i *inspection, ctx context.Context) finding {
	const remedy = "let the proxy connect to the server directly, and check that KILL CONNECTION works for the account's own threads"
	if i.capacity.Room() == 1 {
		return skip("needs two connections")
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := i.store.TryCancel(ctx); err != nil {
		return warn(remedy, "%v", err)
	}
	return pass("the server ends the statement of a cancelled read")
}

// checkTables selects from each table.
func checkTables(i *inspection, ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := i.store.Check(ctx); err != nil {
		return noGo(remedyFor(i, err), "%v", err)
	}
	return pass("all tables can be read")
}

// checkColumns asks each endpoint a question, so that a missing column is found before
// a visitor finds it.
func checkColumns(i *inspection, ctx context.Context) finding {
	var failed []string
	var first error
	tried := 0
	i.store.TryEndpoints(ctx, func(path string, err error) {
		tried++
		if err != nil {
			failed = append(failed, path)
			if first == nil {
				first = err
			}
		}
	})
	if first != nil {
		return noGo("compare the tables with testdata/contract/schema.sql", "%d of %d endpoints fail (%s): %v", len(failed), tried, strings.Join(failed, " "), first)
	}
	unshown, err := i.store.Unshown(ctx)
	if err != nil {
		return warn("compare the tables with testdata/contract/schema.sql", "the names of the columns are not known: %v", err)
	}
	more := ""
	for _, table := range slices.Sorted(maps.Keys(unshown)) {
		more += fmt.Sprintf("; %s has columns that no answer shows (%s), EXTRA_COLUMNS can add them", table, strings.Join(unshown[table], " "))
	}
	return pass("all %d endpoints have their columns%s", tried, more)
}

// checkChanges checks that the database has calculations, and that the server records
// changes of the tables.
func checkChanges(i *inspection, ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	g, err := i.store.Generation(ctx)
	if err != nil {
		return noGo("check the metadata table", "%v", err)
	}
	if len(g.Scopes()) == 0 {
		return warn("run the calculation job, or check DATABASE_NAME", "the metadata table has no calculation")
	}
	recorded, unknown := 0, 0
	for _, stamp := range g.Stamps() {
		if stamp.Known() {
			recorded++
		} else {
			unknown++
		}
	}
	text := fmt.Sprintf("%s, the newest of %s", plural.Of(len(g.Scopes()), "calculation"), g.Calculated())
	switch {
	case recorded+unknown == 0:
		return warn("grant SELECT on the whole database, which shows its tables in information_schema.tables",
			"%s; the server shows no times of change, so that mended rows are found after DATA_MAX_AGE (%v)", text, i.cfg.Cache.DataMaxAge)
	case unknown > 0:
		text += fmt.Sprintf("; %d of %d tables have not changed since the server's start: their first change is found after DATA_MAX_AGE (%v) at the latest",
			unknown, recorded+unknown, i.cfg.Cache.DataMaxAge)
	}
	return pass("%s", text)
}

// polls is the number of polls whose cost is measured.
const polls = 20

// checkPoll measures the poll of the generation, which the proxy repeats each
// GENERATION_POLL.
func checkPoll(i *inspection, ctx context.Context) finding {
	var times []time.Duration
	for range polls {
		begun := time.Now()
		if _, err := i.store.Generation(ctx); err != nil {
			return noGo(remedyFor(i, err), "%v", err)
		}
		times = append(times, time.Since(begun))
	}
	slices.Sort(times)
	return pollFinding(times[polls/2], times[polls-1], i.cfg.Cache.Poll)
}

func pollFinding(median, longest, every time.Duration) finding {
	text := fmt.Sprintf("a poll takes %s, at most %s of %d, every %v", round(median), round(longest), polls, every)
	const remedy = "raise GENERATION_POLL, or find the load on the server"
	switch {
	case median > every:
		return noGo(remedy, "%s", text)
	case median > every/5:
		return warn(remedy, "%s", text)
	}
	return pass("%s", text)
}

// round shortens a duration for people.
func round(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}
