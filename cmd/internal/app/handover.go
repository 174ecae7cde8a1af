package app

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
	"github.com/lewistv/xcri-proxy/cmd/internal/handover"
	"github.com/lewistv/xcri-proxy/cmd/internal/pidfile"
	"github.com/lewistv/xcri-proxy/proxy"
)

const (
	// handOverPatience is the longest time from the start of a successor until it
	// serves.
	handOverPatience = 30 * time.Second
	// readyTick is the pause between two checks of a successor's warm set.
	readyTick = 20 * time.Millisecond
	// savePatience is the longest wait of a successor for the files of its
	// predecessor.
	savePatience = 10 * time.Second
)

// errHandingOver refuses a change of state during a hand-over.
var errHandingOver = errors.New("it will be lost with this process, which is handing over to another: repeat it in a moment")

// handOver is the state of an App's hand-over to a successor.
type handOver struct {
	requests chan struct{} // capacity 1: holds a pending hand-over
	command  []string      // starts the successor
	patience time.Duration // see handOverPatience
	mu       sync.Mutex
	released bool // the other process owns the cache and state files; under mu
	// access is the access log, which the owner of the files rotates; nil means none.
	access *accesslog.Log
}

func newHandOver() *handOver {
	return &handOver{
		requests: make(chan struct{}, 1), patience: handOverPatience,
		command: append([]string{handover.OwnPath()}, os.Args[1:]...),
	}
}

// HandOver requests that a running App starts the program at its path as successor on
// the same socket. The App serves until the successor serves, and then its Run
// returns. If the successor fails, the App continues to serve. The result is logged.
// HandOver is safe for concurrent use.
func (a *App) HandOver() {
	select {
	case a.handOver.requests <- struct{}{}:
	default: // a request is pending already
	}
}

// mayHandOver reports whether a successor can be started now, or logs why not.
func (a *App) mayHandOver(underWay bool) bool {
	switch {
	case a.listener.Supervised:
		a.log.Warn("hand-over refused: the service is systemd's; systemctl restart loses no request if a socket unit holds its socket")
	case underWay:
		a.log.Warn("hand-over refused: another is under way")
	default:
		return true
	}
	return false
}

// succeed starts a successor and waits until it serves. After an error no
// successor runs and nothing has changed.
func (a *App) succeed(ctx context.Context) error {
	a.handOver.release(true)
	var admin []net.Listener
	if a.admin != nil {
		admin = append(admin, a.admin)
	}
	// From here on the successor takes over, even if this process is killed.
	next, err := handover.Start(a.handOver.command, a.listener, admin...)
	if err == nil {
		a.log.Info("hand-over begun", "program", a.handOver.command[0], "pid", next.PID())
		a.writeCache("another process takes over") // so that it starts with a warm cache
		a.writeHistory()
		next.Saved()
		if err = next.Await(ctx, a.handOver.patience); err == nil {
			a.log.Info("handed over", "pid", next.PID())
			a.proxy.HandedOver("handed over to another process")
			return nil
		}
		next.Kill()
	}
	a.proxy.HandedOver("hand-over failed: " + err.Error())
	a.handOver.release(false)
	a.toSave()                          // in case of a publish meanwhile
	pidfile.Write(a.cfg.PIDFile, a.log) // the successor may have replaced it
	return err
}

// release(true) gives the cache and state files, and the rotation of the access log, to the
// other process; release(false) takes them back.
func (h *handOver) release(released bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.released = released
	if h.access != nil {
		h.access.Share(released)
	}
}

// owning wraps keep, so that it is refused while another process owns the files.
func (h *handOver) owning(keep func(proxy.State) error) func(proxy.State) error {
	return func(state proxy.State) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.released {
			return errHandingOver
		}
		return keep(state)
	}
}

// awaitWarm returns true once p has a warm set to replace the predecessor with, or the
// predecessor has ended, and false when ctx ends.
func awaitWarm(ctx context.Context, p *proxy.Proxy, gone <-chan struct{}) bool {
	tick := time.NewTicker(readyTick)
	defer tick.Stop()
	for !p.Ready() {
		select {
		case <-ctx.Done():
			return false
		case <-gone:
			return true
		case <-tick.C:
		}
	}
	return true
}

// takeOver ends the predecessor, if there is one, and takes ownership of the
// files.
func (a *App) takeOver() {
	last := a.listener.Predecessor
	if last == nil {
		return
	}
	a.handOver.release(false)
	a.toSave()
	a.proxy.HandedOver("took over from another process")
	if err := last.Ready(); err != nil {
		a.log.Warn("the old process reads no report that this process serves", "error", err)
	}
}

// open opens the App's sockets. A successor leaves the files to its predecessor
// until it serves.
func (a *App) open() (err error) {
	cfg := a.cfg
	a.listener, a.admin, err = handover.Open(
		handover.Want{Setting: "LISTEN_ADDR", Addr: cfg.ListenAddr, Mode: fs.FileMode(cfg.ListenMode)},
		handover.Want{Setting: "ADMIN_ADDR", Addr: cfg.Admin.Addr, Mode: fs.FileMode(cfg.Admin.SocketMode)})
	if err != nil {
		return err
	}
	if a.listener.Predecessor != nil {
		a.handOver.release(true)
	}
	if from := a.listener.From; from != "" {
		a.log.Info("listening on a socket that was passed on, LISTEN_ADDR is not used", "address", a.Addr().String(),
			"from", from, "listen_addr", cfg.ListenAddr)
	}
	return nil
}

// closeSockets closes the sockets and removes their files, unless a successor serves
// them.
func (a *App) closeSockets() {
	for _, s := range []*handover.Socket{a.listener, a.admin} {
		if s == nil {
			continue
		}
		s.Close() // an error means that the server has closed it
		s.Remove()
	}
}
