// Package counts describes the use of a shared level by one member, since its start.
package counts

// Traffic counts the lookups and the values.
type Traffic struct {
	Hits    int64 // answers that were found
	Misses  int64 // answers that this member then filled
	Waits   int64 // waits for the fill of another member
	Skipped int64 // fills without a lookup, because the circuit breaker was open
	Puts    int64 // values stored
	Read    int64 // bytes
	Written int64 // bytes
}

// Faults counts operations and values that failed.
type Faults struct {
	Errors    int64 // operations that failed or exceeded their budget
	Damaged   int64 // values that no member has written, and that were removed
	Full      int64 // values that found no room
	Oversized int64 // answers that are too large to be shared
}
