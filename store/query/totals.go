package query

import (
	"crypto/sha256"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/scope"
)

// Totals caches the number of rows that match a question, and the rows of the table that its
// list joins, so that another page of it does not read them again. A total holds for one
// generation of the question's scope and one stamp of its tables: the server's time of their
// last change, in whole seconds. A total counted within settle of a change is therefore not
// kept, nor is the total of a read that began before the stamp was first seen, by a read or a
// poll: it may not see the change. The same holds for joined rows. The zero Totals is ready; a
// nil Totals caches nothing. It is safe for concurrent use.
type Totals struct {
	mu    sync.Mutex
	seen  map[string]sight // by table
	pages map[key]int64
	joins joins
	noted any
}

// key identifies a statement with its arguments, and the state of the data in which its
// result was found.
type key = [sha256.Size]byte

const (
	// settle is the number of seconds for which a table must have been quiet.
	settle = 1
	// maxTotals limits the cached totals of pages. They are 40 bytes each.
	maxTotals = 8192
)

// State is the state of the data that a read sees.
type State struct {
	Generation string    // of the query's Scope
	Began      time.Time // no later than the first read; zero means just now
	Totals     *Totals   // nil remembers nothing
	Extra      *Extra    // nil adds no columns
}

// Stamp is the server's record of the last change of some tables.
type Stamp struct {
	Text  string // empty if the server does not know
	Quiet bool   // known, no change within settle seconds, and the read sees the last change
}

// Changed reads the stamp of tables. It must not be called before the first read
// of the data: a change after that read then shows in the stamp. TRUNCATE changes no
// time, but leaves a table that the statistics call empty. Source: MariaDB 10.11.
func (r *Read) Changed(tables []string) (s Stamp, err error) {
	stamps, texts, quiet, began := map[string]scope.Stamp{}, map[string]string{}, true, r.State.Began
	if began.IsZero() {
		began = time.Now()
	}
	err = r.Rows("SELECT table_name, UNIX_TIMESTAMP(create_time), UNIX_TIMESTAMP(update_time), COALESCE(table_rows = 0, 0),"+
		" COALESCE(update_time < NOW() - INTERVAL "+fmt.Sprint(settle)+" SECOND, 0)"+
		" FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN ('"+strings.Join(tables, "', '")+"')",
		nil, func(row []driver.Value) error {
			table, created, updated, empty := jsontext.AsText(row[0]), jsontext.AsText(row[1]), jsontext.AsText(row[2]), jsontext.AsInt(row[3])
			stamps[table] = scope.Stamp{Created: created, Updated: updated, Empty: empty != 0}
			texts[table] = fmt.Sprintf("%s=%s/%s/%d ", table, updated, created, empty)
			quiet = quiet && jsontext.AsInt(row[4]) == 1
			return nil
		})
	if err != nil {
		return Stamp{}, err
	}
	seen := r.State.Totals.See(stamps, time.Now())
	for _, table := range tables {
		if !stamps[table].Known() {
			return Stamp{}, nil
		}
		s.Text += texts[table]
	}
	s.Quiet = quiet && seen.Before(began)
	return s, nil
}

// sight is a stamp of a table and when it was first found.
type sight struct {
	scope.Stamp
	first time.Time
}

// See records the stamps that tables have now. It returns the latest of the times at which
// these stamps were first found.
func (t *Totals) See(stamps map[string]scope.Stamp, now time.Time) (first time.Time) {
	if t == nil {
		return now
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[string]sight{}
	}
	for table, stamp := range stamps {
		s := t.seen[table] // a missing entry equals the stamp of an unknown change
		if !s.Same(stamp) {
			s = sight{stamp, now}
			t.seen[table] = s
		}
		if s.first.After(first) {
			first = s.first
		}
	}
	return first
}

// total counts the rows of a SELECT, or returns the cached number.
func (r *Read) total(query string, args []any) (n int64, err error) {
	return r.totalIn(r.stamp, query, args)
}

// stamp returns the stamp of the tables of the answer, and reads it once.
func (r *Read) stamp() (Stamp, error) {
	if r.now == nil {
		now, err := r.Changed(r.Reads)
		if err != nil {
			return Stamp{}, err
		}
		r.now = &now
	}
	return *r.now, nil
}

// RowsOf counts the rows of a table, or returns the cached number. The read's scope must be
// all calculations.
func (r *Read) RowsOf(table string) (int64, error) {
	return r.totalIn(func() (Stamp, error) { return r.Changed([]string{table}) }, countOf+table, nil)
}

// countOf is the statement that counts the rows of a table, without the table.
const countOf = "SELECT COUNT(*) FROM "

// NoteRows caches the number of rows of a table that another statement has found, for RowsOf.
// generation is the state of all calculations, and now the table's stamp.
func (r *Read) NoteRows(table, generation string, now Stamp, n int64) {
	if r.State.Totals != nil && now.Quiet {
		r.State.Totals.put(keyOf(generation, now.Text, countOf+table, nil), n)
	}
}

// totalIn is total for a SELECT from tables with a stamp.
func (r *Read) totalIn(stamp func() (Stamp, error), query string, args []any) (n int64, err error) {
	if r.State.Totals == nil {
		return r.Count(query, args)
	}
	now, err := stamp()
	if err != nil {
		return 0, err
	}
	of := keyOf(r.State.Generation, now.Text, query, args)
	if n, ok := r.State.Totals.get(of); ok {
		return n, nil
	}
	n, err = r.Count(query, args)
	if err == nil && now.Quiet {
		r.State.Totals.put(of, n)
	}
	return n, err
}

// keyOf returns the key of a total. Different statements have different keys.
func keyOf(generation, stamp, query string, args []any) key {
	text := fmt.Appendf(nil, "%q %q %q", generation, stamp, query)
	for _, arg := range args {
		text = fmt.Appendf(text, " %T %q", arg, fmt.Sprint(arg))
	}
	return sha256.Sum256(text)
}

func (t *Totals) get(of key) (n int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok = t.pages[of]
	return n, ok
}

// put caches a total. A full map is cleared: totals of older generations are useless,
// and each other total costs one count.
func (t *Totals) put(of key, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pages == nil || len(t.pages) >= maxTotals {
		t.pages = map[key]int64{}
	}
	t.pages[of] = n
}

// Note stores a value for later answers, in place of the last note.
func (t *Totals) Note(v any) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.noted = v
}

// LastNote returns the last note, or nil.
func (t *Totals) LastNote() any {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.noted
}
