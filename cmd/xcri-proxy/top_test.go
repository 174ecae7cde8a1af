package main

import (
	"io"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// TestTop holds that top prints a screen of a running proxy, and its hint and exit status
// where no proxy is.
func TestTop(t *testing.T) {
	addr := startProxy(t)
	expect(t, 0, []string{"top", "--once", "--interval", "100ms", "--listen-addr", addr},
		"xcri-proxy ", " at "+addr+", up ", "a second            now       10 s", "hit ratio", "connections in use", " entries, ")
	expect(t, 0, []string{"top", "--once", "--list", "routes", "--interval", "100ms", "--url", "http://" + addr}, " at http://"+addr, "route  (by rate)")
	expect(t, exit.Usage, []string{"top", "--interval", "1ms", "--listen-addr", addr}, "--interval: want 100ms to 1h", "see xcri-proxy top --help")
	expectNothingListens(t, "top", "--once")
}

// expectNothingListens holds the exit status and the hint of a command that calls a
// proxy where none listens.
func expectNothingListens(t *testing.T, args ...string) {
	t.Helper()
	expect(t, exit.Unreachable, append(args, "--listen-addr", port.Address(t)), "is the proxy running there? xcri-proxy serve starts it")
}

// TestPreflightCommand holds that a wrong setting or flag is exit status 2, and that
// the table of a host without a database is on stdout with exit status 1.
func TestPreflightCommand(t *testing.T) {
	expect(t, exit.Usage, []string{"preflight", "--max-p95", "0s"}, "--max-p95: want a duration above zero", "see xcri-proxy preflight --help")
	expect(t, exit.Usage, []string{"preflight", "--database-port", "none"}, "DATABASE_PORT")
	expect(t, exit.Runtime, []string{"preflight", "--quick", "--database-socket", "/nowhere/at/all", "--legacy-url", ""}, "no-go    database", "to correct first: database")
	if out := expect(t, exit.Runtime, []string{"preflight", "--quick", "--json", "--database-socket", "/nowhere/at/all"}, `{"result":"no-go",`); strings.Count(out, "\n") != 1 {
		t.Errorf("%s", out)
	}
}

// TestCompletedValues holds that the values of a flag with a closed set are completed.
func TestCompletedValues(t *testing.T) {
	for _, args := range [][2]string{{"top", "--sort"}, {"top", "--list"}, {"report", "--format"}} {
		want := map[string]string{"--sort": "rate\ntotal\nname\n", "--list": "keys\nroutes\nloading\nmembers\n", "--format": "text\njson\nhtml\n"}[args[1]]
		expect(t, 0, []string{"__complete", args[0], args[1], ""}, want)
	}
}

// TestEveryCommand holds that each command that is not hidden has examples that name it, a help that lists
// its flags and completions for them.
func TestEveryCommand(t *testing.T) {
	p := &program{}
	p.Out, p.Err = io.Discard, io.Discard
	for _, cmd := range p.rootCommand().Commands() {
		if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" || cmd.Name() == "version" {
			continue
		}
		if !strings.Contains(cmd.Example, "xcri-proxy "+cmd.Name()) {
			t.Errorf("%s has no example", cmd.Name())
		}
		if cmd.Name() == "maintenance" {
			continue // its flags are the flags of its own commands
		}
		if cmd.Flags().Lookup(config.Key{Name: "ENV_FILE"}.Flag()) == nil {
			t.Errorf("%s has no --env-file", cmd.Name())
		}
		expect(t, 0, []string{"__complete", cmd.Name(), "--env"}, "--env-file")
	}
}
