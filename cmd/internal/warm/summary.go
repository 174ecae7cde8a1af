package warm

import (
	"fmt"
	"io"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// Summary is the report of warm.
type Summary struct {
	Result string `json:"result"`
	Published
	Loaded
	Error string `json:"error,omitempty"`
	// Warning reports why the other proxies of a fleet have not got the request yet.
	Warning string `json:"warning,omitempty"`

	Log    *accesslog.Summary `json:"log,omitempty"`
	Season *api.Season        `json:"season,omitempty"` // with the flag Season

	state *api.WarmState // the last state received
}

// Published describes the published generation.
type Published struct {
	Generation  string    `json:"generation"`
	PublishedAt time.Time `json:"published_at,omitzero"`
	Calculated  string    `json:"calculated_at"`
	Snapshot    string    `json:"newest_snapshot"`
}

// Loaded counts the answers of a warm-up.
type Loaded struct {
	Keys           int     `json:"keys"`
	Filled         int     `json:"filled"`
	Failed         int     `json:"failed"`
	Bytes          int64   `json:"bytes"`
	Seconds        float64 `json:"seconds"`
	Slowest        string  `json:"slowest"`
	SlowestSeconds float64 `json:"slowest_seconds"`
}

// published records the result of a warm-up.
func (s *Summary) published(state *api.WarmState) {
	s.Keys, s.Filled, s.Failed, s.Bytes, s.Seconds = state.Keys, state.Filled, state.Failed, state.Bytes, state.Seconds
	s.Slowest, s.SlowestSeconds = state.Slowest, state.SlowestSeconds
}

// complete records the published generation, whether or not it is new.
func (s *Summary) complete() {
	if s.state == nil {
		return
	}
	s.Generation, s.Calculated, s.Snapshot = s.state.Current, s.state.Calculated, s.state.Snapshot
	if at := s.state.PublishedAt; at != nil {
		s.PublishedAt = *at
	}
}

// print writes the summary for people.
func (s *Summary) print(w io.Writer) {
	if s.Log != nil {
		fmt.Fprintf(w, "log: %s, %d malformed, %s for the API; %s to load, %s not the API's\n",
			plural.Of(s.Log.Lines, "line"), s.Log.Malformed, plural.Of(s.Log.Counted, "request"), plural.Of(s.Log.Keys, "answer"), plural.Of(s.Log.Ignored, "target"))
	}
	at := "never"
	if !s.PublishedAt.IsZero() {
		at = s.PublishedAt.Local().Format(time.DateTime)
	}
	if s.Season != nil {
		defer fmt.Fprintf(w, "season: %s, %d of them loaded, %d failed, %d without room, %s, %.1f s\n",
			plural.Of(s.Season.Keys, "answer"), s.Season.Filled, s.Season.Failed, s.Season.LeftOut, console.Bytes(s.Season.Bytes), s.Season.Seconds)
	}
	switch {
	case s.Keys > 0:
		fmt.Fprintf(w, "published: %s, %d of them loaded, %d failed, %s, %.1f s\n", plural.Of(s.Keys, "answer"), s.Filled, s.Failed, console.Bytes(s.Bytes), s.Seconds)
		if s.Slowest != "" {
			fmt.Fprintf(w, "slowest: %s, %.1f s\n", s.Slowest, s.SlowestSeconds)
		}
		fmt.Fprintf(w, "calculated %s, newest snapshot %s\n", console.OrNone(s.Calculated), console.OrNone(s.Snapshot))
	case s.state != nil && s.Result != results[exit.Runtime]:
		words := unchanged[s.Result]
		if words == "" {
			words = s.Error
		}
		fmt.Fprintf(w, "%s: calculated %s, newest snapshot %s, published %s\n", words, console.OrNone(s.Calculated), console.OrNone(s.Snapshot), at)
	}
}

// unchanged holds the words for results without a new generation. For all other
// results the error has better words.
var unchanged = map[string]string{
	results[0]: "already there", results[exit.Unreachable]: "last seen", results[exit.NoDatabase]: "not new",
}
