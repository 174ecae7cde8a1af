//go:build !race

package readapi

import "testing"

func TestAppendRowAllocates(t *testing.T) {
	sel, rows := athleteRows()
	body := make([]byte, 0, 8<<10)
	i := 0
	if n := testing.AllocsPerRun(len(rows)-1, func() {
		body, _ = sel.Encoder.AppendRow(body[:0], rows[i%len(rows)])
		i++
	}); n > 0 {
		t.Errorf("a row takes %v allocations", n)
	}
}
