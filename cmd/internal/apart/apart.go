// Package apart runs work of this program in a process of its own, of the scheduler's
// idle class: the kernel takes the processor from the work as soon as any other process of
// the machine needs it. Within the process of the proxy the work would keep one of Go's
// processors from requests, and a thread of low priority would delay the garbage collector.
package apart

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// checkEvery is the interval at which Do calls next while the work runs.
const checkEvery = time.Second

// errEnded means that work was ended because next returned false.
var errEnded = errors.New("ended")

// Work is a command of this program that transforms its standard input, and that calls
// Lower first.
type Work struct {
	// Path and Args are the file of the program and its arguments.
	Path string
	Args []string
	// Busy calls changed with true when the machine is needed, and with false when it is
	// free again, until stop is called: meanwhile the process is stopped. The idle class
	// alone would leave a core warm for this work, and the other core slower; a nil Busy
	// leaves all to the scheduler.
	Busy func(changed func(busy bool)) (stop func())
}

// Do returns the output of the command for an input, or nil if next has returned false: Do
// calls next before the work begins and each second from then on, and stops the process
// until next returns, and while w.Busy reports true. It may be called concurrently.
func (w Work) Do(input []byte, next func() bool) ([]byte, error) {
	if !next() {
		return nil, nil
	}
	// The kernel ends the process with the thread that has started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var out, report bytes.Buffer
	cmd := exec.Command(w.Path, w.Args...)
	// One core, little garbage, and none of the proxy's secrets.
	cmd.Env = []string{"GOMAXPROCS=1", "GOGC=30"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &report
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b := brake{process: cmd.Process}
	if w.Busy != nil {
		defer w.Busy(b.set)()
	}
	switch err := b.await(cmd, next); {
	case errors.Is(err, errEnded):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %s", err, brief(report.Bytes()))
	}
	return out.Bytes(), nil
}

// brief returns the first lines of a report, for a line of the log: a program that crashes
// reports the stacks of all goroutines.
func brief(report []byte) string {
	const most = 500
	text := string(bytes.TrimSpace(report[:min(len(report), 2*most)]))
	text, _, long := strings.Cut(text, "\n\n") // the first stack follows
	if len(text) > most {
		text, long = strings.ToValidUTF8(text[:most], ""), true
	}
	if long {
		text += " …"
	}
	return text
}

// Logged returns Do as a function that logs errors, and returns nil then.
func (w Work) Logged(log *slog.Logger) func(input []byte, next func() bool) []byte {
	return func(input []byte, next func() bool) []byte {
		out, err := w.Do(input, next)
		if err != nil {
			log.Warn("work in a process apart failed", "arguments", w.Args, "bytes", len(input), "error", err)
		}
		return out
	}
}

// brake stops a process as long as there is a reason to do so.
type brake struct {
	process *os.Process

	mu      sync.Mutex
	reasons int
}

// set adds a reason to stop the process, or takes one away. A process that has ended takes
// no signal: its end is reported next.
func (b *brake) set(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if on {
		if b.reasons++; b.reasons == 1 {
			_ = b.process.Signal(syscall.SIGSTOP)
		}
		return
	}
	if b.reasons--; b.reasons == 0 {
		_ = b.process.Signal(syscall.SIGCONT)
	}
}

// await waits for the end of a command. It ends the command when next returns false.
func (b *brake) await(cmd *exec.Cmd, next func() bool) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-check.C:
		}
		b.set(true)
		if !next() {
			_ = cmd.Process.Kill()
			<-ended
			return errEnded
		}
		b.set(false)
	}
}
