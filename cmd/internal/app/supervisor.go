package app

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// statusEvery is the interval at which systemd's line of status is updated.
const statusEvery = time.Second

// supervisor reports to systemd: the line of status that systemctl status shows, and
// that the proxy answers, if the unit has a WatchdogSec.
type supervisor struct {
	app      *App
	ready    <-chan struct{} // closed once the App serves
	watchdog time.Duration   // after this time without a sign systemd ends the process; zero for never
	last     string          // line of status
	signed   time.Time       // when the proxy last answered a probe
}

// attendSupervisor reports to systemd until ctx ends, if systemd has requested it.
func (a *App) attendSupervisor(ctx context.Context, ready <-chan struct{}) {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		a.log.Warn("systemd's watchdog gets no signs, its settings can't be read", "error", err)
	}
	s := &supervisor{app: a, ready: ready, watchdog: watchdog}
	every := statusEvery
	if watchdog > 0 {
		every = min(every, watchdog/4)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.report()
		s.sign(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// report sends the line of status if it has changed.
func (s *supervisor) report() {
	if line := s.status(); line != s.last {
		s.last = line
		s.app.notify("STATUS=" + line)
	}
}

// status describes the activity of the App. Maintenance mode or an outage comes first.
func (s *supervisor) status() string {
	p := s.app.proxy
	doing := "starting"
	select {
	case <-s.ready:
		doing = "serving"
	default:
	}
	if warm := p.Warming(); warm.Warming {
		doing += fmt.Sprintf(", warming %d of %d answers", warm.Done, warm.Keys)
	} else if warm.Keys > 0 {
		doing += ", " + plural.Of(warm.Keys, "answer") + " in the warm set"
	}
	if period := p.Maintenance(); period != nil {
		return "maintenance mode since " + clock(period.Since) + "; " + doing
	}
	if since := p.DownSince(); !since.IsZero() {
		return "the database has been down since " + clock(since) + "; " + doing
	}
	return doing
}

// clock formats a time for people on this machine.
func clock(t time.Time) string { return t.Local().Format(time.DateTime) }

// sign reports to systemd's watchdog that the proxy has answered a probe, four times in
// the watchdog's interval. Without an answer systemd restarts the service.
func (s *supervisor) sign(ctx context.Context) {
	if s.watchdog == 0 || time.Since(s.signed) < s.watchdog/4 {
		return
	}
	probing, cancel := context.WithTimeout(ctx, s.watchdog/2)
	defer cancel()
	switch err := s.app.alive(probing); {
	case err == nil:
		s.signed = time.Now()
		s.app.notify(daemon.SdNotifyWatchdog)
	case ctx.Err() == nil:
		s.app.log.Error("the proxy does not answer its own probe; systemd restarts it if this goes on", "error", err, "watchdog", s.watchdog)
	}
}
