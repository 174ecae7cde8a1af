package children

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOf: a child is listed with its command and state, as a zombie until it is awaited, and
// not afterwards. A child of a child is no child.
func TestOf(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 3602; true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { // sh has begun its child
		own := Of(t, cmd.Process.Pid)
		return len(own) == 1 && own[0].Command == "sleep 3602"
	})
	grandchild := Of(t, cmd.Process.Pid)[0].PID
	defer syscall.Kill(grandchild, syscall.SIGKILL)
	if all := Of(t, os.Getpid()); len(all) != 1 || all[0].PID != cmd.Process.Pid || all[0].Command != "sh -c sleep 3602; true" || !strings.Contains(Running, all[0].State) {
		t.Errorf("%+v", all)
	}
	for _, step := range []struct {
		signal syscall.Signal
		states string
	}{{syscall.SIGSTOP, Stopped}, {syscall.SIGCONT, Running}} {
		if err := cmd.Process.Signal(step.signal); err != nil {
			t.Fatal(err)
		}
		await(t, func() bool {
			state := State(t, "3602; true")
			return state != "" && strings.Contains(step.states, state)
		})
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		all := Of(t, os.Getpid())
		return len(all) == 1 && all[0].State == "Z" && all[0].Command == ""
	})
	cmd.Wait()
	if all := Of(t, os.Getpid()); len(all) > 0 {
		t.Errorf("after its end: %+v", all)
	}
	if state := State(t, "3602; true"); state != "" {
		t.Errorf("state %q of no process", state)
	}
}

func await(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", Of(t, os.Getpid()))
		}
	}
}
