package accesslog

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"
)

// MaxTargets limits the targets that a Count holds.
const MaxTargets = 50_000

// Count counts the answered requests below a path by target. If a log has more than
// MaxTargets targets, the Count drops the least requested targets, so that its memory is
// bounded for logs of any size. It is not safe for concurrent use.
type Count struct {
	Lines     int `json:"lines"`
	Malformed int `json:"malformed"` // lines skipped because of their format
	Counted   int `json:"counted"`   // answered requests below the path

	prefix   string
	limit    int // targets held
	requests map[string]int
}

// NewCount returns an empty Count of the requests whose target begins with prefix.
func NewCount(prefix string) *Count {
	return &Count{prefix: prefix, limit: MaxTargets, requests: map[string]int{}}
}

// ReadFile counts the lines of a file, see the function ReadFile.
func (c *Count) ReadFile(name string, stdin io.Reader) error { return ReadFile(name, stdin, c.add) }

// add counts a line.
func (c *Count) add(e Entry, ok bool) {
	c.Lines++
	switch {
	case !ok:
		c.Malformed++
	case e.Answered() && strings.HasPrefix(e.Target, c.prefix) && len(e.Target) <= MaxTarget:
		c.Counted++
		c.requests[sortedQuery(e.Target)]++
		c.trim()
	}
}

// trim drops the least requested targets until the limit holds.
func (c *Count) trim() {
	for least := 1; len(c.requests) > c.limit; least *= 2 {
		maps.DeleteFunc(c.requests, func(_ string, n int) bool { return n <= least })
	}
}

// Top returns the n targets with the most requests, the most requested first.
func (c *Count) Top(n int) []string {
	targets := slices.Collect(maps.Keys(c.requests))
	slices.SortFunc(targets, func(a, b string) int {
		return cmp.Or(cmp.Compare(c.requests[b], c.requests[a]), cmp.Compare(a, b))
	})
	return targets[:min(n, len(targets))]
}

// sortedQuery sorts the parameters of a target by name, so that requests which
// differ only in the order of parameters count as equal. The order of repeated
// parameters is kept, because the last value counts.
func sortedQuery(target string) string {
	path, query, found := strings.Cut(target, "?")
	if !found || !strings.Contains(query, "&") {
		return target
	}
	pairs := strings.Split(query, "&")
	slices.SortStableFunc(pairs, func(a, b string) int {
		a, _, _ = strings.Cut(a, "=")
		b, _, _ = strings.Cut(b, "=")
		return strings.Compare(a, b)
	})
	return path + "?" + strings.Join(pairs, "&")
}
