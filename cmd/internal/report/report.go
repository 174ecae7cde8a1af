// Package report reviews the last hours of a running proxy: its requests and times
// beside the period before, peaks, outages and other events, and the slowest requests.
package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// longest is the length of the proxy's history.
const longest = 48 * time.Hour

// Formats are the formats of a report.
var Formats = []string{"text", "json", "html"}

// Options are the flags of report.
type Options struct {
	Since     time.Duration // length of the period, which ends now
	MaxErrors float64       // share of answers with a status from 500 on, in percent
	Format    string
	Check     bool // exit with status 1 if a point asks for attention
}

// Validate validates the flags.
func (f Options) Validate() error {
	switch {
	case f.Since < time.Minute || f.Since > longest:
		return fmt.Errorf("--since: want 1m to %v, the length of the proxy's history", longest)
	case !(f.MaxErrors >= 0 && f.MaxErrors <= 100):
		return errors.New("--max-errors: want a percentage from 0 to 100")
	case !slices.Contains(Formats, f.Format):
		return fmt.Errorf("--format %q: want one of %s", f.Format, strings.Join(Formats, ", "))
	}
	return nil
}

// Report is the review of a period. Times are in milliseconds and sizes in bytes where
// the name does not say otherwise.
type Report struct {
	URL     string `json:"url"`
	Version string `json:"version"`
	Period
	// Attention is the number of points that ask for attention.
	Attention int     `json:"attention"`
	Points    []Point `json:"points"`

	Now      *api.Window      `json:"period"`
	Before   *api.Window      `json:"period_before"` // of the same length; null without a history
	Outcomes map[string]int64 `json:"outcomes"`
	Peaks    Peaks            `json:"peaks"`
	Hours    []api.Window     `json:"hours"`
	Lists
}

// Period is the time that a report covers.
type Period struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// CoveredSeconds is the part of the period of which the proxy has a history.
	CoveredSeconds float64 `json:"covered_seconds"`
}

// Lists explain the figures of a report.
type Lists struct {
	Outages []Outage        `json:"outages"`
	Events  []api.Event     `json:"events"`  // the oldest first
	Slowest []Slow          `json:"slowest"` // the slowest first
	State   []api.Condition `json:"conditions"`
}

// Point is a criterion of the review.
type Point struct {
	Name string `json:"name"`
	Well bool   `json:"well"`
	Text string `json:"text"`
}

// Peaks are the highest values of the period, with their limits.
type Peaks struct {
	PoolInUse    int   `json:"pool_in_use"`
	PoolLimit    int   `json:"pool_limit"`
	Waiting      int64 `json:"waiting_requests"`
	Memory       int64 `json:"memory"`
	MemoryBudget int64 `json:"memory_budget"` // zero means no limit
	CacheBytes   int64 `json:"cache_bytes"`
	CacheBudget  int64 `json:"cache_budget"`
	Stale        int64 `json:"stale_entries"`
}

// Outage is an outage of the database.
type Outage struct {
	From    time.Time  `json:"from"`
	To      *time.Time `json:"to"` // null while it lasts
	Seconds float64    `json:"seconds"`
	Cause   string     `json:"cause"`
}

// Slow is a slow request.
type Slow struct {
	At     time.Time `json:"at"`
	MS     float64   `json:"ms"`
	Target string    `json:"target"`
	Detail string    `json:"detail"` // outcome, status, request ID, phases
}

// Run prints the report of the proxy at a URL.
func Run(ctx context.Context, c *adminclient.Client, at string, f Options, std console.Streams) error {
	r, err := gather(ctx, c, at, f, time.Now())
	if err != nil {
		return err
	}
	switch f.Format {
	case "json":
		err = console.JSON(std.Out, r)
	case "html":
		err = r.html(std.Out)
	default:
		err = r.text(std.Out)
	}
	if err != nil {
		return exit.Wrap(exit.Runtime, err)
	}
	if f.Check && r.Attention > 0 {
		return exit.Silent
	}
	return nil
}
