// Command fleetsim simulates fleets of 1 to 1,000 proxies: the work of the shared level and
// of the database for an import and for visitors, and the first limit that a fleet meets.
// It prints tables, and draws a chart. Equal flags give equal results.
//
//	go run ./cmd/xcri-bench/fleetsim
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/simulate"
)

// The sizes of fleets, and the multiples of the site's visitors.
var (
	sizes     = []int{1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 1000}
	multiples = []float64{1, 10, 100, 1000, 10_000}
)

// settings are the properties of the simulated site.
type settings struct {
	model     simulate.Model
	poll      time.Duration
	seed      uint64
	openMost  float64 // connections that the database accepts
	openEach  float64 // connections of a member that fills: 4 for fills, 1 for polls
	askedADay float64 // requests of a day for pages beyond the warm set
}

// standard returns the settings without flags: a network of a gigabit a second.
func standard() settings {
	return settings{model: simulate.Production(), poll: 250 * time.Millisecond, seed: 1, openMost: 151, openEach: 5, askedADay: 72_000}
}

func main() {
	s := standard()
	chart := flag.String("chart", "cmd/xcri-bench/fleetsim/limits.svg", "file to draw the limits to; empty for none")
	gigabits := flag.Float64("network", s.model.Network*8/1e9, "network of the shared level, in gigabits a second")
	flag.DurationVar(&s.poll, "poll", s.poll, "interval of a member's polls: GENERATION_POLL")
	flag.IntVar(&s.model.Cores, "cores", s.model.Cores, "cores of the database")
	flag.Float64Var(&s.openMost, "connections", s.openMost, "connections that the database accepts: max_connections")
	flag.Uint64Var(&s.seed, "seed", s.seed, "seed of the random numbers")
	flag.Parse()
	s.model.Network = *gigabits * 1e9 / 8
	limits := s.print(os.Stdout)
	if *chart == "" {
		return
	}
	if err := report.WriteCurves(*chart, limits); err != nil {
		fmt.Fprintln(os.Stderr, "fleetsim:", err)
		os.Exit(1)
	}
}

// use is the use of a part as a share of its capacity.
type use struct {
	name  string
	share float64
}

// The parts, in the order of the uses.
const (
	network = iota
	processor
	silence
	connections
	polls
	parts
)

var names = [parts]string{"network of the level", "processor of the level", "silence of the level, of 50 ms", "connections of the database", "polls of the database"}

// pollCost is the database's processor time for a poll.
const pollCost = 600 * time.Microsecond

// publishGoal is the time after an import in which all members should publish it, beyond
// the fills.
const publishGoal = 2 * time.Second

// at simulates an import in a fleet of n members.
func (s settings) at(n int) (simulate.Result, [parts]use) {
	const window = 150 * time.Second
	r := simulate.Import(simulate.Options{Model: s.model, Members: n, Poll: s.poll, Window: window, Seed: s.seed})
	loaded := s.model.Value * s.model.Changed * (n - 1)
	shares := [parts]float64{
		network:     float64(loaded) / s.model.Network / publishGoal.Seconds(),
		processor:   r.Busy.Seconds() / window.Seconds(),
		silence:     r.Silence.Seconds() / 0.05,
		connections: float64(n) * s.openEach / s.openMost,
		polls:       float64(n) / s.poll.Seconds() * pollCost.Seconds() / float64(s.model.Cores),
	}
	var uses [parts]use
	for i, share := range shares {
		uses[i] = use{names[i], max(share, 1e-3)}
	}
	return r, uses
}

// print writes the tables, and returns the chart of the limits.
func (s settings) print(w io.Writer) report.Curves {
	chart := report.Curves{Title: "Use of each part for an import, 1 = its limit", X: "members"}
	for _, name := range names {
		chart.Curves = append(chart.Curves, report.Curve{Name: name})
	}
	fmt.Fprintf(w, "| members | fills | requests | messages | MB | all have published after | silence | nearest limit | used |\n|%s\n", "---|---|---|---|---|---|---|---|---|")
	for _, n := range sizes {
		r, uses := s.at(n)
		nearest := uses[0]
		for i, u := range uses {
			chart.Curves[i].Points = append(chart.Curves[i].Points, report.Point{X: float64(n), Y: u.share})
			if u.share > nearest.share {
				nearest = u
			}
		}
		published := "not in 150 s"
		if r.Published == n {
			published = fmt.Sprintf("%.2f s", r.Last.Seconds())
		}
		fmt.Fprintf(w, "| %d | %d | %s | %s | %s | %s | %.0f ms | %s | %.0f %% |\n", n, r.Fills, report.Thousands(float64(r.Requests)), report.Thousands(float64(r.Messages)),
			report.Thousands(r.Bytes/1e6), published, float64(r.Silence.Milliseconds()), nearest.name, 100*nearest.share)
	}
	fmt.Fprintf(w, "\n| visitors | members | fills/s | requests/s of the level | MB/s of the level | processor of the level | cores of the database |\n|%s\n", "---|---|---|---|---|---|---|")
	for _, times := range multiples {
		for _, n := range []int{1, 10, 100, 1000} {
			l := simulate.Visitors{Rate: s.askedADay / 86_400 * times, Pages: 100_000, Bytes: 14_000, Members: n, After: time.Minute}.Load()
			idle := 2 * float64(n) // heartbeats and comparisons of the log
			fmt.Fprintf(w, "| × %s | %d | %.2f | %s | %.2f | %.1f %% | %.2f |\n", report.Thousands(times), n, l.Fills, report.Thousands(l.Requests+idle), l.Bytes/1e6,
				100*((l.Requests+idle)*s.model.Request.Seconds()), l.Fills*0.02)
		}
	}
	return chart
}
