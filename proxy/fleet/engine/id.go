package engine

import (
	"cmp"
	"strconv"
	"strings"
)

// Later compares two IDs of events, as cmp.Compare does.
func Later(a, b string) int {
	aTime, aCount := parseID(a)
	bTime, bCount := parseID(b)
	return cmp.Or(cmp.Compare(aTime, bTime), cmp.Compare(aCount, bCount))
}

// MaxID returns the later of two IDs.
func MaxID(a, b string) string {
	if Later(a, b) >= 0 {
		return a
	}
	return b
}

// parseID returns the parts of an ID; zeros if it has another form.
func parseID(id string) (time, count uint64) {
	first, second, _ := strings.Cut(id, "-")
	time, _ = strconv.ParseUint(first, 10, 64)
	count, _ = strconv.ParseUint(second, 10, 64)
	return time, count
}
