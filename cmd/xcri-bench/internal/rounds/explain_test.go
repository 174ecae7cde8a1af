package rounds

import (
	"testing"
)

func TestPerRequest(t *testing.T) {
	table := `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.600000          10      1000           write
 39.00    0.390000          10      1500       500 read
  1.00    0.000100          10         5           futex
------ ----------- ----------- --------- --------- ----------------
100.00    1.000000                  2505       500 total
`
	if got, want := perRequest(table, 1000), "   1.00 write\n   1.50 read\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
