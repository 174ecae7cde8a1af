//go:build !race

package store

import "testing"

func TestAppendRowAllocates(t *testing.T) {
	sel, rows := athleteRows(t)
	body := make([]byte, 0, 8<<10)
	i := 0
	if n := testing.AllocsPerRun(len(rows)-1, func() {
		body, _ = sel.encoder.AppendRow(body[:0], rows[i%len(rows)])
		i++
	}); n > 0 {
		t.Errorf("a row takes %v allocations", n)
	}
}

func TestCanonicalAllocates(t *testing.T) {
	p := endpointAt(t, "/athletes/").Params
	dst := make([]byte, 0, 256)
	for i := range p {
		raw := map[Kind][]byte{Int: []byte("25"), Text: []byte("light"), Choice: []byte("m"), Date: []byte("2025-10-20")}[p[i].Kind]
		if n := testing.AllocsPerRun(100, func() { p[i].Canonical(dst, raw) }); n > 0 {
			t.Errorf("%s takes %v allocations", p[i].Name, n)
		}
	}
}
