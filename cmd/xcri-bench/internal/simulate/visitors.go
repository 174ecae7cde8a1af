package simulate

import (
	"math"
	"time"
)

// Visitors are the requests of all visitors for pages beyond the warm set.
type Visitors struct {
	Rate    float64 // requests a second for pages beyond the warm set, of the whole site
	Pages   int     // different pages; the n-th most wanted has 1/n of the first's requests
	Bytes   int     // of a page in the level
	Members int
	After   time.Duration // the time after an import whose mean rates are computed
}

// Load is the work of visitors, in each second.
type Load struct {
	Fills    float64 // reads of the database
	Requests float64 // of the level
	Bytes    float64 // of the level
}

// Load returns the expected work: the database reads a page for the first request in the
// fleet, and a member looks a page up in the level for its own first.
func (v Visitors) Load() Load {
	sum := 0.0
	for n := 1; n <= v.Pages; n++ {
		sum += 1 / float64(n)
	}
	fleet, member := 0.0, 0.0
	for n := 1; n <= v.Pages; n++ {
		asked := v.Rate * v.After.Seconds() / float64(n) / sum
		fleet -= math.Expm1(-asked)
		member -= math.Expm1(-asked / float64(v.Members))
	}
	fills, lookups := fleet/v.After.Seconds(), member*float64(v.Members)/v.After.Seconds()
	return Load{
		Fills: fills, Requests: lookups + fills, // a claim for each lookup, and a value for each fill
		Bytes: lookups*(claimIn+emptyOut) + fills*float64(putIn) + lookups*float64(v.Bytes),
	}
}
