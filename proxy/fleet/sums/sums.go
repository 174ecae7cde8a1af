// Package sums shares the sums of tables among the members of a fleet, so that a table is
// read once for all of them: a member compares them with later sums, to find the scopes that
// a change of the table concerns.
package sums

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"

	"github.com/lewistv/xcri-proxy/store"
)

// Store is the database.
type Store interface {
	Generation(context.Context) (*store.Generation, error)
	ScopeRows(ctx context.Context, table string) (map[store.Scope]store.Rows, error)
}

// Texts are the texts of a fleet, such as *texts.Texts.
type Texts interface {
	Get(ctx context.Context, name string, produce func() ([]byte, error)) ([]byte, error)
	Put(ctx context.Context, name string, text []byte)
}

// Shared is a Store whose sums are shared. It is safe for concurrent use.
type Shared struct {
	Store
	texts Texts

	mu     sync.Mutex
	stamps map[string]store.Stamp // by the last poll
	have   map[string]store.Stamp // of the sums that this member has
}

// Share returns a Store that shares the sums of s as texts. This member has the sums at the
// known stamps already.
func Share(s Store, known map[string]store.Stamp, texts Texts) *Shared {
	have := maps.Clone(known)
	if have == nil {
		have = map[string]store.Stamp{}
	}
	return &Shared{Store: s, texts: texts, have: have}
}

// Generation reads the generation, and notes the stamps of the tables.
func (s *Shared) Generation(ctx context.Context) (*store.Generation, error) {
	g, err := s.Store.Generation(ctx)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stamps = g.Stamps()
	}
	return g, err
}

// ScopeRows returns the sums of a table at its present stamp: the sums that any member has
// read, once. The next call for the same stamp is an audit, which reads the table, because a
// change may have left the same stamp. The result replaces the shared sums.
//
// Sums that are older than the answers of the level do no harm: the next audit differs from
// them, and makes the answers stale.
func (s *Shared) ScopeRows(ctx context.Context, table string) (rows map[store.Scope]store.Rows, err error) {
	stamp, first := s.state(table)
	if stamp.Recent || !first {
		if rows, err = s.Store.ScopeRows(ctx, table); err == nil && !stamp.Recent {
			s.texts.Put(ctx, nameOf(table, stamp), encode(rows))
		}
		return rows, err
	}
	text, err := s.texts.Get(ctx, nameOf(table, stamp), func() ([]byte, error) {
		rows, err := s.Store.ScopeRows(ctx, table)
		return encode(rows), err
	})
	if err != nil {
		return nil, err
	}
	if rows, err = decode(text); err != nil { // the text is damaged
		if rows, err = s.Store.ScopeRows(ctx, table); err == nil {
			s.texts.Put(ctx, nameOf(table, stamp), encode(rows))
		}
	}
	if err == nil {
		s.returned(table, stamp)
	}
	return rows, err
}

// state returns the present stamp of a table, and whether this member does not have its sums.
func (s *Shared) state(table string) (stamp store.Stamp, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stamp = s.stamps[table]
	have, ok := s.have[table]
	return stamp, !ok || !have.Same(stamp)
}

func (s *Shared) returned(table string, stamp store.Stamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have[table] = stamp
}

// nameOf returns the name of the sums of a table at a stamp.
func nameOf(table string, stamp store.Stamp) string {
	name := "sums\x00" + table + "\x00" + stamp.Created + "\x00" + stamp.Updated
	if stamp.Empty {
		name += "\x00empty"
	}
	return name
}

func encode(rows map[store.Scope]store.Rows) []byte {
	text, err := json.Marshal(rows)
	if err != nil {
		panic(err) // texts and numbers can always be encoded
	}
	return text
}

func decode(text []byte) (rows map[store.Scope]store.Rows, err error) {
	if err = json.Unmarshal(text, &rows); err == nil && rows == nil {
		err = errors.New("no sums")
	}
	return rows, err
}
