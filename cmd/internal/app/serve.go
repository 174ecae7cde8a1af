package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/lewistv/xcri-proxy/cmd/internal/pidfile"
)

// A process that stops closes connections that were idle for this time: a short time
// at a stop, as new connections may wait for the start of the next process, and a
// longer time after a hand-over, as the next process serves already.
const quietAtStop, quietAfterHandOver = time.Second, 5 * time.Second

// serve answers requests until ctx ends, another process serves, or a part fails.
func (a *App) serve(ctx context.Context) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	usable := make(chan struct{}) // closed once no failure is known that only an operator can correct
	checked, served := make(chan error, 1), make(chan error, 2)
	if a.proxy.Maintenance() == nil {
		go func() { checked <- a.awaitDatabase(working, sync.OnceFunc(func() { close(usable) })) }()
	} else {
		close(usable) // the database may be incomplete during maintenance
	}
	ready := a.awaitReady(working, usable)
	var supervised sync.WaitGroup
	supervised.Go(func() { a.attendSupervisor(working, ready) })
	begin := a.proxy.Polled() // earlier connections wait: after the first poll saved entries may be hits
	if a.listener.Predecessor != nil {
		begin = ready // until then the predecessor answers
	}
	go func() {
		select {
		case <-begin:
			a.log.Info("serving", "address", a.Addr().String(), "base_path", a.cfg.BasePath)
			if a.admin != nil {
				a.log.Info("serving the admin pages", "address", a.admin.Addr().String())
				go func() { served <- a.proxy.ServeAdmin(a.admin.Listener) }()
			}
			served <- a.proxy.Serve(a.listener.Listener)
		case <-working.Done():
		}
	}()
	quiet, err := a.attend(working, ready, checked, served)
	stop()
	supervised.Wait() // so that the line of status stays the last
	return errors.Join(err, a.drain(quiet))
}

// attend returns when serving must end, and the idle time after which the drain closes
// a connection. Its channels report that the App is ready, the result of the database
// check, and a failure of the server.
func (a *App) attend(ctx context.Context, ready <-chan struct{}, checked, served <-chan error) (quiet time.Duration, err error) {
	var succeeded chan error // not nil while a successor starts
	var tooLate <-chan time.Time
	// A stop does not end a hand-over: the successor may be all that serves then.
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		stop()
		if succeeded != nil && <-succeeded == nil {
			quiet = quietAfterHandOver
		}
	}()
	replace := func() {
		if a.mayHandOver(succeeded != nil) {
			succeeded = make(chan error, 1)
			go func() { succeeded <- a.succeed(working) }()
		}
	}
	for stopped := ctx.Done(); ; {
		select {
		case <-ready:
			ready = nil
			a.announce()
		case err := <-checked:
			if err != nil {
				return quietAtStop, err
			}
			checked = nil
		case err := <-served:
			return quietAtStop, fmt.Errorf("serve: %w", err)
		case <-a.handOver.requests:
			replace()
		case err := <-succeeded:
			succeeded = nil
			switch {
			case err == nil:
				return quietAfterHandOver, nil
			case stopped == nil:
				a.log.Error("hand-over failed, stopping", "error", err)
				return quietAtStop, nil
			}
			a.log.Error("hand-over failed, going on as before", "error", err)
		case <-stopped:
			if len(a.handOver.requests) > 0 { // requested before the stop
				<-a.handOver.requests
				replace()
			}
			if succeeded == nil {
				return quietAtStop, nil
			}
			a.log.Info("stopping once the successor serves", "timeout", a.cfg.ShutdownTimeout)
			stopped, tooLate = nil, time.After(a.cfg.ShutdownTimeout)
		case <-tooLate:
			return quietAtStop, nil
		}
	}
}

// awaitReady returns a channel that is closed once the App can serve; for a successor,
// once it can serve as well as its predecessor. The channel may never be closed.
func (a *App) awaitReady(ctx context.Context, usable <-chan struct{}) <-chan struct{} {
	ready := make(chan struct{})
	go func() {
		for _, condition := range []<-chan struct{}{usable, a.proxy.Polled()} {
			select {
			case <-condition:
			case <-ctx.Done():
				return
			}
		}
		if last := a.listener.Predecessor; last == nil || awaitWarm(ctx, a.proxy, last.Gone()) {
			close(ready)
		}
	}()
	return ready
}

// announce reports to systemd and to the predecessor that the App serves.
func (a *App) announce() {
	pidfile.Write(a.cfg.PIDFile, a.log)
	a.notify(daemon.SdNotifyReady)
	a.takeOver()
}

// drain stops serving. It finishes all requests under way within SHUTDOWN_TIMEOUT.
func (a *App) drain(quiet time.Duration) error {
	timeout := a.cfg.ShutdownTimeout
	a.log.Info("stopping", "timeout", timeout)
	a.notify(daemon.SdNotifyStopping)
	a.notify("STATUS=stopping, requests under way may finish")
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	begun := time.Now()
	a.proxy.Drain(ctx, min(quiet, timeout/2))
	if ctx.Err() == nil {
		a.log.Info("all connections closed", "seconds", time.Since(begun).Seconds())
	}
	if err := a.proxy.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop: answers still under way after SHUTDOWN_TIMEOUT: %w", err)
	}
	return nil
}

// notify reports the state of the service to systemd, if systemd has requested it.
func (a *App) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		a.log.Warn("systemd not notified", "state", state, "error", err)
	}
}
