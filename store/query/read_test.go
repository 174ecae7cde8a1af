package query

import (
	"bytes"
	"database/sql/driver"
	"testing"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// growing is a database with many rows that counts how often the answer gets other memory.
type growing struct {
	rows, moves int
	read        *Read
}

func (g *growing) Rows(_ string, _ []any, row func([]driver.Value) error) error {
	values := []driver.Value{bytes.Repeat([]byte("x"), 500)}
	room := cap(g.read.Body)
	for range g.rows {
		if err := row(values); err != nil {
			return err
		}
		if now := cap(g.read.Body); now != room {
			room = now
			g.moves++
		}
	}
	return nil
}

// TestBodyGrows: the memory of a long list doubles each time it is full.
func TestBodyGrows(t *testing.T) {
	const size, doublings = 64 << 10, 8
	g := &growing{rows: 20000}
	g.read = &Read{Query: Query{Endpoint: &Endpoint{}}, Database: g}
	g.read.StartList(size)
	s := Selection{From: "t r", Columns: Fields(jsontext.Text, "name")}.Build()
	if n, err := s.rows(g.read, nil, "t r", nil); err != nil || n != int64(g.rows) {
		t.Fatal(n, err)
	}
	if n := len(g.read.Body); n < size<<(doublings-1) || g.moves > doublings {
		t.Errorf("%d bytes after %d moves", n, g.moves)
	}
}
