// Package children lists the child processes of a process, for tests on Linux.
package children

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Child is a child process.
type Child struct {
	PID   int
	State string // a letter: proc_pid_stat(5), column 3
	// Command is the program and its arguments, separated by spaces; empty for a zombie.
	Command string
}

// The states of a child: Stopped by a signal, or one of Running, whether it has a processor
// or waits for anything.
const Stopped, Running = "T", "RSD"

// Of returns the child processes of pid, including zombies.
func Of(t testing.TB, pid int) (all []Child) {
	t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(folders) == 0 {
		t.Fatal("no processes in /proc", err)
	}
	for _, folder := range folders {
		stat, _ := os.ReadFile(folder + "/stat")      // none of a process that has just ended
		_, rest, _ := strings.Cut(string(stat), ") ") // after the name, in brackets
		f := strings.Fields(rest)
		if len(f) < 2 || f[1] != strconv.Itoa(pid) {
			continue
		}
		line, _ := os.ReadFile(folder + "/cmdline")
		c := Child{State: f[0], Command: strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))}
		if c.PID, err = strconv.Atoi(filepath.Base(folder)); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// State returns the state of the child process of this process whose command contains a
// text, or "" if there is none.
func State(t testing.TB, command string) string {
	t.Helper()
	for _, c := range Of(t, os.Getpid()) {
		if strings.Contains(c.Command, command) {
			return c.State
		}
	}
	return ""
}
