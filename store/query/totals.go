package query

import (
	"crypto/sha256"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// Totals caches the number of rows that match a question, so that another page of it does
// not count them again. A total holds for one generation of the question's scope and one
// stamp of its tables: the server's time of their last change, in whole seconds. A total
// counted within settle of a change is therefore not kept, nor is the total of a read
// that began before the stamp was first seen: it may not see the change. The zero Totals
// is ready; a nil Totals caches nothing. It is safe for concurrent use.
type Totals struct {
	mu    sync.Mutex
	seen  map[string]sight // by table, as listed
	pages map[[sha256.Size]byte]int64
	noted any
}

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
	var text strings.Builder
	known, quiet, began := true, true, r.State.Began
	if began.IsZero() {
		began = time.Now()
	}
	for _, table := range tables {
		found, err := r.One("SELECT update_time, update_time < NOW() - INTERVAL "+fmt.Sprint(settle)+" SECOND, create_time, COALESCE(table_rows = 0, 0)"+
			" FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?", []any{table},
			func(row []driver.Value) {
				known = known && row[0] != nil
				quiet = quiet && jsontext.AsInt(row[1]) == 1
				fmt.Fprintf(&text, "%s=%s/%s/%d ", table, jsontext.AsText(row[0]), jsontext.AsText(row[2]), jsontext.AsInt(row[3]))
			})
		if err != nil {
			return Stamp{}, err
		}
		known = known && found
	}
	if !known {
		return Stamp{}, nil
	}
	first := r.State.Totals.see(strings.Join(tables, " "), text.String(), time.Now())
	return Stamp{text.String(), quiet && first.Before(began)}, nil
}

// sight is a stamp and when a read first found it.
type sight struct {
	text  string
	first time.Time
}

// see returns when a read first found the stamp that tables have now.
func (t *Totals) see(tables, text string, now time.Time) (first time.Time) {
	if t == nil {
		return now
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.seen[tables]; s.text == text {
		return s.first
	}
	if t.seen == nil {
		t.seen = map[string]sight{}
	}
	t.seen[tables] = sight{text, now}
	return now
}

// total counts the rows of a SELECT, or returns the cached number.
func (r *Read) total(query string, args []any) (n int64, err error) {
	if r.State.Totals == nil {
		return r.Count(query, args)
	}
	now, err := r.Changed(r.Reads)
	if err != nil {
		return 0, err
	}
	key := keyOf(r.State.Generation, now.Text, query, args)
	if n, ok := r.State.Totals.get(key); ok {
		return n, nil
	}
	n, err = r.Count(query, args)
	if err == nil && now.Quiet {
		r.State.Totals.put(key, n)
	}
	return n, err
}

// keyOf returns the key of a total. Different statements have different keys.
func keyOf(generation, stamp, query string, args []any) [sha256.Size]byte {
	text := fmt.Appendf(nil, "%q %q %q", generation, stamp, query)
	for _, arg := range args {
		text = fmt.Appendf(text, " %T %q", arg, fmt.Sprint(arg))
	}
	return sha256.Sum256(text)
}

func (t *Totals) get(key [sha256.Size]byte) (n int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok = t.pages[key]
	return n, ok
}

// put caches a total. A full map is cleared: totals of older generations are useless,
// and each other total costs one count.
func (t *Totals) put(key [sha256.Size]byte, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pages == nil || len(t.pages) >= maxTotals {
		t.pages = map[[sha256.Size]byte]int64{}
	}
	t.pages[key] = n
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
