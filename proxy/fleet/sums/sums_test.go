package sums

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
)

var (
	men     = store.Scope{Season: "2025", Division: "2030", Gender: "M"}
	general = store.Scope{}
)

// database is a table whose sums and stamp the test sets.
type database struct {
	stamp store.Stamp
	rows  map[store.Scope]store.Rows
	err   error
	reads int
}

func (d *database) Generation(context.Context) (*store.Generation, error) {
	return store.NewGeneration().WithStamps(map[string]store.Stamp{"t": d.stamp}), d.err
}

func (d *database) ScopeRows(context.Context, string) (map[store.Scope]store.Rows, error) {
	d.reads++
	return d.rows, d.err
}

// shelf has texts by name, as a fleet has.
type shelf map[string][]byte

func (s shelf) Get(_ context.Context, name string, produce func() ([]byte, error)) (text []byte, err error) {
	if text, ok := s[name]; ok {
		return text, nil
	}
	if text, err = produce(); err == nil {
		s[name] = text
	}
	return text, err
}

func (s shelf) Put(_ context.Context, name string, text []byte) { s[name] = text }

// TestShare: the first member reads a table, and the others take its sums, once for each
// stamp; a second call is an audit, which reads the table and shares the result. The sums at
// a stamp that another change may leave, too, are not shared.
func TestShare(t *testing.T) {
	level := shelf{}
	d := &database{stamp: store.Stamp{Created: "1", Updated: "2"}, rows: map[store.Scope]store.Rows{men: {Count: 3, Sum: "a"}, general: {Count: 1, Sum: "b"}}}
	first, second := Share(d, nil, level), Share(d, nil, level)
	saved := Share(d, map[string]store.Stamp{"t": d.stamp}, level)
	step := func(what string, s *Shared, want map[store.Scope]store.Rows, reads int) {
		t.Helper()
		before := d.reads
		if _, err := s.Generation(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := s.ScopeRows(t.Context(), "t")
		if err != nil || !maps.Equal(rows, want) || d.reads-before != reads {
			t.Errorf("%s: %v, %v, %d reads", what, rows, err, d.reads-before)
		}
	}
	was := d.rows
	step("the first", first, was, 1)
	d.rows = map[store.Scope]store.Rows{men: {Count: 4, Sum: "c"}} // without another stamp
	step("the second", second, was, 0)
	step("an audit of the second", second, d.rows, 1)
	step("a new member after the audit", Share(d, nil, level), d.rows, 0)
	step("a member with saved sums", saved, d.rows, 1)
	d.stamp.Updated, d.stamp.Recent = "3", true
	d.rows = map[store.Scope]store.Rows{}
	step("a recent change", first, d.rows, 1)
	step("a recent change on the second", second, d.rows, 1)
	d.stamp.Recent = false
	step("a change", first, d.rows, 1)
	step("a change on the second", second, d.rows, 0)
	d.stamp.Empty = true
	step("an empty table", second, d.rows, 1)
	d.stamp = store.Stamp{}
	step("a server without stamps", first, d.rows, 1)
	if len(level) != 4 {
		t.Errorf("%d texts", len(level))
	}
}

// TestShareFails: an error is the caller's, and is not shared. Damaged texts are not used, and
// the next call is no audit.
func TestShareFails(t *testing.T) {
	level := shelf{}
	d := &database{err: errors.New("down"), rows: map[store.Scope]store.Rows{men: {Count: 3, Sum: "a"}}}
	s := Share(d, nil, level)
	if _, err := s.Generation(t.Context()); err != d.err {
		t.Error(err)
	}
	for range 2 {
		if _, err := s.ScopeRows(t.Context(), "t"); err != d.err || len(level) != 0 {
			t.Errorf("%v, %q", err, level)
		}
	}
	for _, text := range []string{"", "x", "[1]", "null", `[{"Scope":"2025"}]`, `{"2025":{}}`} {
		level[nameOf("t", d.stamp)] = []byte(text)
		if _, err := Share(d, nil, level).ScopeRows(t.Context(), "t"); err != d.err {
			t.Errorf("%q: %v", text, err)
		}
		good := *d
		good.err = nil
		if rows, err := Share(&good, nil, level).ScopeRows(t.Context(), "t"); err != nil || !maps.Equal(rows, d.rows) {
			t.Errorf("%q: %v, %v", text, rows, err)
		}
	}
}
