package engine

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"
)

// CompareIDs compares two IDs of events by age, as cmp.Compare does.
func CompareIDs(a, b string) int {
	aTime, aCount := parseID(a)
	bTime, bCount := parseID(b)
	return cmp.Or(cmp.Compare(aTime, bTime), cmp.Compare(aCount, bCount))
}

// MaxID returns the later of two IDs.
func MaxID(a, b string) string {
	if CompareIDs(a, b) >= 0 {
		return a
	}
	return b
}

// TimeOf returns the time of an event, by the clock of the level; the beginning of 1970 for
// an ID of another form.
func TimeOf(id string) time.Time {
	ms, _ := parseID(id)
	return time.UnixMilli(int64(min(ms, math.MaxInt64)))
}

// parseID returns the parts of an ID; zeros if it has another form.
func parseID(id string) (time, count uint64) {
	first, second, _ := strings.Cut(id, "-")
	time, _ = strconv.ParseUint(first, 10, 64)
	count, _ = strconv.ParseUint(second, 10, 64)
	return time, count
}
