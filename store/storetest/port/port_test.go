package port

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestFree: a port is free, and is none that Linux gives to clients by default or on this
// machine.
func TestFree(t *testing.T) {
	lowest := 32_768
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if lowest, err = strconv.Atoi(strings.Fields(string(text))[0]); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		ln, err := net.Listen("tcp", Address(t))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if n := ln.Addr().(*net.TCPAddr).Port; n < 1024 || n >= lowest {
			t.Fatalf("port %d; clients get ports from %d on", n, lowest)
		}
	}
}

// TestLeases: a port is returned once, also if another process has it and nothing listens
// on it, and again after the end of that process.
func TestLeases(t *testing.T) {
	const other = "PORT_OF_ANOTHER_PROCESS"
	if os.Getenv(other) != "" {
		taken, err := Free()
		fmt.Println(taken, err)
		io.Copy(io.Discard, os.Stdin) // until the end of its input
		os.Exit(0)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLeases$")
	cmd.Env = append(os.Environ(), other+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var taken int
	if _, err := fmt.Fscanf(out, "%d <nil>", &taken); err != nil {
		t.Fatal(err)
	}
	own, err := Free()
	if err != nil {
		t.Fatal(err)
	}
	picks := []int{own, taken, own}
	more := first
	got, err := free(func() (pick int) {
		if len(picks) == 0 {
			more++
			return more - 1
		}
		pick, picks = picks[0], picks[1:]
		return pick
	})
	if err != nil || len(picks) > 0 || got == own || got == taken {
		t.Errorf("port %d, %v beside %d and %d", got, err, own, taken)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got, err := free(func() int { return taken }); err != nil || got != taken {
		t.Errorf("after the end of the other process: port %d, %v", got, err)
	}
	if got, err := free(func() int { return taken }); err == nil {
		t.Errorf("port %d a second time", got)
	}
}
