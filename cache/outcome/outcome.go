// Package outcome names the ways in which a cache answers a request.
package outcome

import "slices"

// Outcome classifies the answer to a request.
type Outcome uint8

// The outcomes, each the label of a metric and the detail in Cache-Status.
const (
	Hit        Outcome = iota // served fresh from the cache
	Stale                     // served from the cache while it is refreshed
	StaleError                // served from the cache because the origin fails
	Miss                      // by a fill that this request began
	Coalesced                 // by a fill that another request began
	Pass                      // not for the cache
	Error                     // not answered
	Outcomes                  // the number of outcomes
)

var names = [Outcomes]string{"hit", "stale", "stale_error", "miss", "coalesced", "pass", "error"}

func (o Outcome) String() string { return names[o] }

// Names returns the names of all outcomes. The caller may change the slice.
func Names() []string { return slices.Clone(names[:]) }
