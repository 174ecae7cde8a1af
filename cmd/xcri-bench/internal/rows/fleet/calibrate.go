package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/level"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/simulate"
)

// Calibrate compares the work of the shared level for an import with the simulated work, in
// fleets of 1, 2, 4 and 8 members.
func Calibrate(ctx context.Context, l *lab.Lab) error {
	alone := int64(0) // fills of a single member
	for i, n := range []int{1, 2, 4, 8} {
		counted, err := measure(ctx, l, n, 1200+i)
		if err != nil {
			return fmt.Errorf("%d members: %w", n, err)
		}
		if n == 1 {
			alone = counted.fills
		}
		compare(l, n, counted, alone)
	}
	return nil
}

// work is the counted work for an import.
type work struct {
	level.Counts
	window        time.Duration
	fills         int64
	warm          int // answers in the warm set
	puts, written int64
}

// measure counts the work for an import in a fleet of n members.
func measure(ctx context.Context, l *lab.Lab, n, version int) (w work, err error) {
	f, err := open(ctx, l, n)
	if err != nil {
		return w, err
	}
	defer f.close()
	// Members without the sums of the tables take an import for a change of all scopes, and
	// fill the whole warm set anew.
	if err := f.summed(ctx, l); err != nil {
		return w, err
	}
	puts, written, err := f.written(ctx)
	if err != nil {
		return w, err
	}
	begun := time.Now()
	before, err := f.level.Counts(ctx)
	if err != nil {
		return w, err
	}
	if w.fills, _, err = f.imports(ctx, l, version); err != nil {
		return w, err
	}
	if err := f.offered(ctx, afterImport); err != nil {
		return w, err
	}
	after, err := f.level.Counts(ctx)
	if err != nil {
		return w, err
	}
	w.Counts, w.window = after.Minus(before), time.Since(begun)
	if w.puts, w.written, err = f.written(ctx); err != nil {
		return w, err
	}
	w.puts, w.written = w.puts-puts, w.written-written
	s, err := ask.StatsOf(ctx, addrs[0])
	w.warm = s.Generation.Warm.Keys
	return w, err
}

// summed waits until the level has the sums of all tables, and the members have taken them over.
func (f *fleet) summed(ctx context.Context, l *lab.Lab) error {
	var tables int
	if err := l.Root.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()").Scan(&tables); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		n, err := f.level.Texts(ctx)
		switch {
		case err != nil:
			return err
		case n >= tables:
			return f.offered(ctx, afterStart)
		case time.Now().After(deadline):
			return fmt.Errorf("the level has the sums of %d of %d tables", n, tables)
		}
	}
}

// compare reports the counted work of n members beside the simulated work. A single member
// fills alone answers.
func compare(l *lab.Lab, n int, counted work, alone int64) {
	model := simulate.Production()
	model.Changed, model.Warm, model.Value = int(alone), counted.warm, int(counted.written/max(1, counted.puts))
	model.Wanted = 0 // no visitor asks
	want := simulate.Import(simulate.Options{Model: model, Members: n, Poll: 250 * time.Millisecond, Window: counted.window, Seed: 1})
	// The commands of announcements and reads of a decision are commands of scripts, too.
	simulated := want.Requests - want.Announces - want.Decisions
	requests, bytes := float64(counted.Requests()-counted.Beats()), float64(counted.In+counted.Out)
	name := fmt.Sprintf("an import on %d members: ", n)
	l.Reports.Add(
		report.Row{Name: name + "requests of the level, simulated to counted", Most: true, Bound: 1.25, Value: away(float64(simulated), requests),
			Ours: report.Thousands(float64(simulated)), Other: fmt.Sprintf("%s counted, %d puts of %d KB", report.Thousands(requests), counted.puts, model.Value/1000)},
		report.Row{Name: name + "bytes of the level, simulated to counted", Most: true, Bound: 1.25, Value: away(want.Bytes, bytes),
			Ours: report.Megabytes(want.Bytes), Other: report.Megabytes(bytes)},
		report.Row{Name: name + "fills, simulated to counted", Most: true, Bound: 1, Value: away(float64(want.Fills), float64(counted.fills)),
			Ours: fmt.Sprint(want.Fills), Other: fmt.Sprint(counted.fills)})
}

// away returns the ratio of two numbers that is at least 1.
func away(a, b float64) float64 { return max(a/b, b/a) }

// written returns the number of answers that the members have stored in the level, and
// their bytes.
func (f *fleet) written(ctx context.Context) (puts, bytes int64, err error) {
	for _, m := range f.members {
		s, err := ask.StatsOf(ctx, m.Addr)
		if err != nil {
			return 0, 0, err
		}
		puts, bytes = puts+s.Fleet.Puts, bytes+s.Fleet.Written
	}
	return puts, bytes, nil
}
