package alone

import (
	"context"
	"fmt"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/herd"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
)

// Herd has many clients concurrently request the live lists, all of which are cold.
func Herd(ctx context.Context, l *lab.Lab) error {
	// Poll only at the start, so that the database counts only the fills.
	p, err := l.StartProxy(ctx, "", "GENERATION_POLL=1h")
	if err != nil {
		return err
	}
	defer p.Stop()
	if err := l.SQL(ctx, "FLUSH STATUS"); err != nil {
		return err
	}
	before, err := ask.ReadStats(ctx)
	if err != nil {
		return err
	}
	begun, err := l.Status(ctx, "COM_BEGIN")
	if err != nil {
		return err
	}
	targets := ask.LiveLists(1)
	addrs := []string{ask.ProxyAddr}
	bodies, failed := herd.Run(ctx, addrs, targets)
	after, err := ask.ReadStats(ctx)
	if err != nil {
		return err
	}
	transactions, err := l.Status(ctx, "COM_BEGIN")
	if err != nil {
		return err
	}
	connections, err := l.Connections(ctx)
	if err != nil {
		return err
	}
	right, err := herd.Right(ctx, addrs, targets, ask.LiveLists(0), bodies)
	if err != nil {
		return err
	}
	asked := herd.Clients * len(targets)
	what := fmt.Sprintf("%d clients × %d cold lists, concurrently: ", herd.Clients, len(targets))
	l.Reports.Add(
		report.Row{Name: what + "fills", Most: true, Bound: float64(len(targets)), Unit: "fills", Value: float64(after.Cache.Fills - before.Cache.Fills),
			Other: fmt.Sprintf("%d transactions, as MariaDB counts", transactions-begun)},
		report.Row{Name: what + "connections to the database", Most: true, Bound: 8, Unit: "connections", Value: float64(connections)},
		report.Row{Name: what + "right answers", Bound: float64(asked), Unit: "answers", Value: float64(right), Other: failure(failed)})
	return nil
}

func failure(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
