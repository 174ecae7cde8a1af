package apart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/children"
)

// TestMain is also the program that runs apart: its first argument names the work.
func TestMain(m *testing.M) {
	work, ok := programs[os.Args[len(os.Args)-1]]
	if !ok {
		os.Exit(m.Run())
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var programs = map[string]func() error{
	"apart-upper": func() error {
		in, err := io.ReadAll(os.Stdin)
		os.Stdout.Write(bytes.ToUpper(in))
		return err
	},
	"apart-classes": func() error {
		if err := Lower(); err != nil {
			return err
		}
		tasks, err := os.ReadDir("/proc/self/task")
		for _, task := range tasks {
			stat, err := os.ReadFile("/proc/self/task/" + task.Name() + "/stat")
			if err != nil {
				return err
			}
			_, rest, _ := strings.Cut(string(stat), ") ")
			fmt.Println(strings.Fields(rest)[38]) // policy: proc_pid_stat(5), column 41
		}
		fmt.Println(strings.Join(os.Environ(), " "))
		return err
	},
	"apart-crashes": func() error { panic("out of luck") },
	"apart-talks":   func() error { return errors.New(strings.Repeat("é", 1<<20)) },
	"apart-fails":   func() error { return errors.New("out of luck") },
	"apart-sleeps": func() error {
		fmt.Println(os.Getpid())
		time.Sleep(time.Hour)
		return nil
	},
	"apart-parent": func() error { // stops apart-sleeps for ever
		w := work("apart-sleeps")
		w.Busy = func(changed func(bool)) (stop func()) {
			changed(true)
			fmt.Println("stopped")
			return func() {}
		}
		_, err := w.Do(nil, always)
		return err
	},
}

func work(name string) Work { return Work{Path: "/proc/self/exe", Args: []string{name}} }

func always() bool { return true }

// TestDo: the output of the command is returned, whole, for calls at the same time.
func TestDo(t *testing.T) {
	var calls sync.WaitGroup
	for i := range 3 {
		calls.Go(func() {
			in := bytes.Repeat([]byte("aé"), i<<20)
			out, err := work("apart-upper").Do(in, always)
			if err != nil || !bytes.Equal(out, bytes.ToUpper(in)) {
				t.Errorf("%d bytes: %d bytes, %v", len(in), len(out), err)
			}
		})
	}
	calls.Wait()
}

// TestLower: all threads of the process are in the idle class, and its environment has
// nothing of this process.
func TestLower(t *testing.T) {
	t.Setenv("DATABASE_PASSWORD", "secret")
	out, err := work("apart-classes").Do(nil, always)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) < 3 {
		t.Fatalf("%q, %v", out, err)
	}
	last := len(lines) - 1
	for _, class := range lines[:last] {
		if class != fmt.Sprint(unix.SCHED_IDLE) {
			t.Errorf("a thread in class %s", class)
		}
	}
	if lines[last] != "GOMAXPROCS=1 GOGC=30" {
		t.Errorf("environment %q", lines[last])
	}
}

// TestRefusedWork: work that may not begin starts no process, and an error of the command
// is in the error of Do.
func TestRefusedWork(t *testing.T) {
	if out, err := (Work{Path: "/no/such/program"}).Do(nil, func() bool { return false }); out != nil || err != nil {
		t.Errorf("not idle: %q, %v", out, err)
	}
	if _, err := (Work{Path: "/no/such/program"}).Do(nil, always); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that does not exist: %v", err)
	}
	if out, err := work("apart-fails").Do(nil, always); out != nil || err == nil || !strings.Contains(err.Error(), "out of luck") {
		t.Errorf("a program that fails: %q, %v", out, err)
	}
}

// TestBriefErrors: the error of a program that crashes has the cause, and not the stacks.
func TestBriefErrors(t *testing.T) {
	for name, want := range map[string]string{"apart-crashes": "exit status 2: panic: out of luck", "apart-talks": "exit status 1: " + strings.Repeat("é", 250)} {
		_, err := work(name).Do(nil, always)
		if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), " …") || len(err.Error()) > 600 || strings.Contains(err.Error(), "goroutine") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for report, want := range map[string]string{"": "", " a\nb \n": "a\nb", strings.Repeat("x", 500): strings.Repeat("x", 500), "a\n\nb": "a …"} {
		if got := brief([]byte(report)); got != want {
			t.Errorf("%q of %q", got, report)
		}
	}
}

// TestStops: the process is stopped while next has not returned, and ended if next returns
// false.
func TestStops(t *testing.T) {
	calls := 0
	var states []string
	out, err := work("apart-sleeps").Do(nil, func() bool {
		if calls++; calls > 1 {
			states = append(states, childState(t, children.Stopped))
		}
		return calls < 3
	})
	if out != nil || err != nil || len(states) != 2 || states[0] != "T" || states[1] != "T" {
		t.Errorf("%q, %v, in states %v", out, err, states)
	}
	if left := childState(t, children.Stopped); left != "" {
		t.Errorf("the process is left in state %s", left)
	}
}

// TestBusy: the process is stopped while the machine is needed, and the watch ends with the
// work.
func TestBusy(t *testing.T) {
	w, watched := work("apart-sleeps"), true
	w.Busy = func(changed func(bool)) (stop func()) {
		for range 2 {
			if changed(true); childState(t, children.Stopped) != "T" {
				t.Error("not stopped")
			}
			if changed(false); childState(t, children.Running) == "T" {
				t.Error("not continued")
			}
		}
		return func() { watched = false }
	}
	calls := 0
	if out, err := w.Do(nil, func() bool { calls++; return calls < 2 }); out != nil || err != nil || watched {
		t.Errorf("%q, %v, watched %v", out, err, watched)
	}
}

// TestBrake: a process goes on when the last reason to stop it has ended, and not earlier.
func TestBrake(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "apart-sleeps")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	b := brake{process: cmd.Process}
	for i, step := range []struct {
		on    bool
		until string
	}{{true, children.Stopped}, {true, children.Stopped}, {false, children.Stopped}, {false, children.Running}, {true, children.Stopped}, {false, children.Running}} {
		b.set(step.on)
		if state := childState(t, step.until); !strings.Contains(step.until, state) || state == "" {
			t.Fatalf("step %d: state %q, want one of %s", i, state, step.until)
		}
	}
}

// TestStoppedWorkEndsWithItsParent: a stopped process does not stay behind with its memory
// when the process that stopped it is killed.
func TestStoppedWorkEndsWithItsParent(t *testing.T) {
	parent := exec.Command("/proc/self/exe", "apart-parent")
	report, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer parent.Wait()
	defer parent.Process.Kill()
	if _, err := io.ReadFull(report, make([]byte, len("stopped"))); err != nil {
		t.Fatal(err)
	}
	left := children.Of(t, parent.Process.Pid)
	if len(left) != 1 {
		t.Fatalf("children %+v", left)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	folder := fmt.Sprintf("/proc/%d/cmdline", left[0].PID) // empty for a zombie that init has not awaited
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if line, _ := os.ReadFile(folder); len(line) == 0 {
			return
		}
		if time.Now().After(deadline) {
			unix.Kill(left[0].PID, unix.SIGKILL)
			t.Fatalf("%+v is left", left[0])
		}
	}
}

// childState returns the state of the child process that runs apart-sleeps, once it is one
// of until; "" for no such process.
func childState(t *testing.T, until string) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		state := children.State(t, "apart-sleeps")
		if state == "" || strings.Contains(until, state) {
			return state
		}
		if time.Now().After(deadline) {
			t.Errorf("the process is in state %s", state)
			return state
		}
	}
}
