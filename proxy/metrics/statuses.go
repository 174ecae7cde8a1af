package metrics

import "sync/atomic"

const lowestStatus, highestStatus = 100, 599

// Statuses counts answers by status code. It is safe for concurrent use.
type Statuses struct {
	counts [highestStatus - lowestStatus + 1]atomic.Int64
}

// Add counts an answer. A code that HTTP does not know counts as 500.
func (s *Statuses) Add(code int) {
	if code < lowestStatus || code > highestStatus {
		code = 500
	}
	s.counts[code-lowestStatus].Add(1)
}

// Of returns the number of answers with a code that HTTP knows.
func (s *Statuses) Of(code int) int64 { return s.counts[code-lowestStatus].Load() }

// Read returns the counts of this moment, without the codes that no answer has had.
func (s *Statuses) Read() map[int]int64 {
	counts := map[int]int64{}
	for i := range s.counts {
		if n := s.counts[i].Load(); n > 0 {
			counts[lowestStatus+i] = n
		}
	}
	return counts
}

// Classes returns the counts by the first digit of the code, from 1 to 5.
func (s *Statuses) Classes() (classes [5]int64) {
	for i := range s.counts {
		classes[i/100] += s.counts[i].Load()
	}
	return classes
}
