package app

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/proxy"
)

const (
	// handOverPatience is how long a successor may take until it serves.
	handOverPatience = 30 * time.Second
	// readyTick is how often a successor looks whether it has a warm set.
	readyTick = 20 * time.Millisecond
)

// errHandingOver is told to who changes something meanwhile.
var errHandingOver = errors.New("it ends with this process, which is handing over to another: say it again in a moment")

// handOver is what an App needs to replace, and to be replaced by, another
// process.
type handOver struct {
	last       *os.File      // where the last process waits to hear that we serve; nil for none
	supervised bool          // by systemd, which has its own way
	wishes     chan struct{} // has one in it after a HandOver that was not looked at yet
	command    []string      // starts the successor
	patience   time.Duration // how long that may take
	mu         sync.Mutex
	released   bool // the cache and state files are the other process's; under mu
}

func newHandOver() *handOver {
	return &handOver{
		wishes: make(chan struct{}, 1), patience: handOverPatience,
		command: append([]string{ownPath()}, os.Args[1:]...),
	}
}

// ownPath is where this program was started from, and where its next version
// will be. A symbolic link to it stays one, as it may lead elsewhere by then.
func ownPath() string {
	real, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return real
	}
	path, err = filepath.Abs(path)
	given, errGiven := os.Stat(path)
	running, errRunning := os.Stat(real)
	if err != nil || errGiven != nil || errRunning != nil || !os.SameFile(given, running) {
		return real
	}
	return path
}

// HandOver asks a running App to start the program that is now at its path in
// its place, on the same socket. The App goes on until the successor serves, and
// then its Run returns; should the successor fail, it goes on for good. What
// becomes of it is in the log. It is safe for concurrent use.
func (a *App) HandOver() {
	select {
	case a.handOver.wishes <- struct{}{}:
	default: // one more that has not been looked at says the same
	}
}

// mayHandOver reports whether there can be a successor now, or logs why not.
func (a *App) mayHandOver(underWay bool) bool {
	switch {
	case a.handOver.supervised:
		a.log.Warn("hand-over refused: the service is systemd's; systemctl restart loses no request if a socket unit holds its socket")
	case underWay:
		a.log.Warn("hand-over refused: another is under way")
	default:
		return true
	}
	return false
}

// succeed starts a successor and waits until it serves. After an error there is
// none, and nothing has changed.
func (a *App) succeed(ctx context.Context) error {
	a.save("another process takes over") // so that it starts with a warm cache
	a.handOver.release(true)
	next, err := start(a.handOver.command, a.listener)
	if err == nil {
		a.log.Info("hand-over begun", "program", a.handOver.command[0], "pid", next.cmd.Process.Pid)
		if err = next.await(ctx, a.handOver.patience); err == nil {
			a.log.Info("handed over", "pid", next.cmd.Process.Pid)
			return nil
		}
		next.kill()
	}
	a.handOver.release(false)
	a.writePID() // the successor may have got that far
	return err
}

// release gives the files that both processes know to the successor, or takes
// them back.
func (h *handOver) release(released bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.released = released
}

// owning keeps what is kept for the next run until the files are released.
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

// awaitWarm returns true once p has answers to replace another with, or false
// when ctx ends.
func awaitWarm(ctx context.Context, p *proxy.Proxy) bool {
	tick := time.NewTicker(readyTick)
	defer tick.Stop()
	for !p.Ready() {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}

// tellLast lets the last process end, which may have ended before, and keeps from
// now on what it kept until then.
func (a *App) tellLast() {
	if a.handOver.last == nil {
		return
	}
	a.handOver.release(false)
	a.toSave()
	_, err := a.handOver.last.WriteString(readyLine)
	if err = errors.Join(err, a.handOver.last.Close()); err != nil {
		a.log.Warn("the last process does not listen any more", "error", err)
	}
	a.handOver.last = nil
}
