package preflight

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/app"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/measure"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/visitors"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

const (
	// warmTick is the interval at which the progress of the warm-up is read.
	warmTick = 100 * time.Millisecond
	// rehearsalRate limits the requests a second, and rehearsalClients their
	// concurrency: the database serves others meanwhile.
	rehearsalRate, rehearsalClients = 200, 4
)

// rehearsal is a proxy with an empty cache, in this process and on a port of its own.
type rehearsal struct {
	url    *url.URL
	client *adminclient.Client
	stop   context.CancelFunc
	done   chan error
}

// rehearse starts a proxy with the settings, but without their addresses and files.
func (i *inspection) rehearse() (*rehearsal, error) {
	cfg := forRehearsal(i.cfg, i.capacity.Room())
	// The rehearsal is no service: systemd must get no reports from it.
	if err := os.Unsetenv("NOTIFY_SOCKET"); err != nil {
		return nil, err
	}
	a, err := app.New(cfg, app.Program{Version: i.flags.Version}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &rehearsal{url: &url.URL{Scheme: "http", Host: a.Addr().String()}, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- a.Run(ctx) }()
	r.client, err = adminclient.New(adminclient.Options{URL: r.url.String(), Token: string(cfg.AdminToken), Timeout: time.Minute})
	i.rehearsal = r
	return r, err
}

// forRehearsal returns the settings of a proxy that shares only the database and the old
// API with another proxy. room is the number of connections that the database grants.
func forRehearsal(cfg config.Config, room int) config.Config {
	cfg.ListenAddr, cfg.Admin.Addr = "127.0.0.1:0", ""
	cfg.Cache.File, cfg.StateFile, cfg.HistoryFile, cfg.PIDFile, cfg.Access.Log = "", "", "", "", ""
	cfg.Cache.Shared = ""
	cfg.Legacy.Source, cfg.Legacy.Routes, cfg.Legacy.VerifySample = "store", nil, 0
	cfg.Front.PurgeURLs = nil
	// The connections of the checks before are open, too.
	cfg.Database.MaxConns = max(1, min(cfg.Database.MaxConns, room-1))
	return cfg
}

// endRehearsal stops the proxy.
func (i *inspection) endRehearsal() {
	if r := i.rehearsal; r != nil {
		r.stop()
		<-r.done
	}
}

// checkWarmUp fills the warm set of the rehearsal.
func checkWarmUp(i *inspection, ctx context.Context) finding {
	const remedy = "check the database, and the log of xcri-proxy serve"
	if i.flags.Quick {
		return skip("--quick")
	}
	r, err := i.rehearse()
	if err != nil {
		return noGo(remedy, "%v", err)
	}
	state, err := r.warm(ctx)
	switch {
	case err != nil:
		return noGo(remedy, "%v", err)
	case state.Held != "":
		return noGo("if the data is right, publish it with xcri-proxy warm --accept", "the import looks incomplete: %s", state.Held)
	case state.Failed > 0:
		return noGo(remedy, "%d of %d answers of the warm set failed: %s", state.Failed, state.Keys, state.Error)
	}
	return pass("%s loaded in %.1f s, %s; the slowest took %.1f s: %s", plural.Of(state.Filled, "answer"), state.Seconds, console.Bytes(state.Bytes), state.SlowestSeconds, state.Slowest)
}

// warm waits until the warm set is published, or held back.
func (r *rehearsal) warm(ctx context.Context) (state api.WarmState, err error) {
	for {
		state, err = r.client.WarmState(ctx, "")
		if err == nil && (state.Held != "" || state.Published > 0 && !state.Warming) {
			return state, nil
		}
		select {
		case ended := <-r.done:
			r.done <- ended
			return state, fmt.Errorf("the rehearsal ended: %w", cmp.Or(ended, err))
		case <-ctx.Done():
			return state, fmt.Errorf("not warm in time: %d of %d answers loaded, last error %q", state.Done, state.Keys, state.LookError)
		case <-time.After(warmTick):
		}
	}
}

// checkLatency plays visitors against the rehearsal.
func checkLatency(i *inspection, ctx context.Context) finding {
	if i.flags.Requests == 0 {
		return skip("--requests 0")
	}
	const remedy = "find slow statements and locks in the database, and check CACHE_BYTES"
	root := i.rehearsal.url
	catalogue, err := visitors.Learn(ctx, adminclient.Direct(), root.String(), nil)
	if err != nil {
		return warn("check that the tables have rows", "the API has nothing to ask for: %v", err)
	}
	report, err := measure.Run(ctx, measure.Options{
		URL: root, Source: visitors.NewMix(catalogue, 1, i.flags.Requests), Connections: rehearsalClients, Rate: rehearsalRate,
	})
	if err != nil {
		return noGo(remedy, "%v", err)
	}
	text := fmt.Sprintf("p95 %s of %d requests of the page mix, p50 %s, hit ratio %.1f %%; the limit is %v",
		round(report.Percentile(.95)), report.Requests, round(report.Percentile(.5)), 100*report.HitRatio, i.flags.MaxP95)
	switch {
	case ctx.Err() != nil:
		return noGo("raise --timeout", "interrupted after %d of %d requests", report.Requests, i.flags.Requests)
	case report.Errors > 0:
		return noGo(remedy, "%d wrong answers, such as %s; %s", report.Errors, report.Failures[0].Example, text)
	case report.Percentile(.95) > i.flags.MaxP95:
		return noGo(remedy, "%s", text)
	}
	return pass("%s", text)
}
