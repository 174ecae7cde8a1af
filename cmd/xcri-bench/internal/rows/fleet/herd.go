package fleet

import (
	"context"
	"fmt"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/herd"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
)

// Herd has the clients of three members concurrently request the live lists, all of which
// are cold.
func Herd(ctx context.Context, l *lab.Lab) error {
	// Members poll only at the start, so that the database counts only the fills.
	f, err := open(ctx, l, 3, "GENERATION_POLL=1h")
	if err != nil {
		return err
	}
	defer f.close()
	begun, err := l.Status(ctx, "COM_BEGIN")
	if err != nil {
		return err
	}
	targets := ask.LiveLists(1)
	bodies, failed := herd.Run(ctx, addrs[:3], targets)
	transactions, err := l.Status(ctx, "COM_BEGIN")
	if err != nil {
		return err
	}
	right, err := herd.Right(ctx, addrs[:3], targets, ask.LiveLists(0), bodies)
	if err != nil {
		return err
	}
	var hits, waits, faults int64
	for _, addr := range addrs[:3] {
		s, err := ask.StatsOf(ctx, addr)
		if err != nil {
			return err
		}
		hits, waits, faults = hits+s.Fleet.Hits, waits+s.Fleet.Waits, faults+s.Fleet.Errors
	}
	note := fmt.Sprintf("%d errors of the shared level", faults)
	if failed != nil {
		note = failed.Error()
	}
	asked := 3 * herd.Clients * len(targets)
	name := fmt.Sprintf("3 proxies × %d clients × %d cold lists, concurrently: ", herd.Clients, len(targets))
	l.Reports.Add(
		report.Row{Name: name + "fills, as MariaDB counts", Most: true, Bound: float64(len(targets)), Unit: "fills", Value: float64(transactions - begun),
			Other: fmt.Sprintf("%d answers from the shared level, %d waits for another proxy's fill, with the warm set", hits, waits)},
		report.Row{Name: name + "right answers", Bound: float64(asked), Unit: "answers", Value: float64(right), Other: note})
	return nil
}
