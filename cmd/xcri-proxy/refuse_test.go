package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/config"
)

// nowhere is the address of no proxy: a command that connects there ends with
// exit.Unreachable.
const nowhere = "http://127.0.0.1:1"

// arguments complete the command lines of commands that need arguments or flags.
var arguments = map[string][]string{
	"load": {nowhere}, "explain": {"/teams/"}, "purge": {"--all"}, "maintenance on": {}, "source": {"legacy"},
}

// refused lists, for each flag of a command that is no setting, wrong values and the part
// of the error that names the right values. The command lines of flags with a type that is
// in kinds have a value of another type too.
var refused = map[string]map[string]string{
	"tail --slow":     {"-1s": "want a time such as 100ms"},
	"tail --outcome":  {"bogus": `"bogus"; want some of hit, stale, stale_error, miss, coalesced, pass, error`, "hit,lost": `"lost"; want some of hit, `},
	"tail --route":    {"/nowhere/": "want one of /athletes/ "},
	"tail --client":   {"localhost": `"localhost" is neither an address nor a network such as 203.0.113.0/24`, "10.0.0.0/40": "a network such as"},
	"tail --count":    {"-1": "want a number of lines"},
	"top --interval":  {"99ms": "want 100ms to 1h", "2h": "want 100ms to 1h"},
	"top --sort":      {"bogus": `"bogus": want one of rate, total, name`},
	"top --list":      {"bogus": `"bogus": want one of keys, routes, loading, members`},
	"report --since":  {"0s": "want 1m to 48h", "49h": "want 1m to 48h"},
	"report --format": {"pdf": `"pdf": want one of text, json, html`},

	"report --max-errors": {"-1": "want a percentage from 0 to 100", "101": "want a percentage", "NaN": "want a percentage"},

	"load --requests":    {"-1": "want a number from 0 on", "0": "want a number from 1 on, or --duration"},
	"load --warm-up":     {"-1": "want a number from 0 on"},
	"load --duration":    {"-1s": "want at least 100ms", "1ms": "want at least 100ms"},
	"load --connections": {"0": "from 1 to 10000", "10001": "from 1 to 10000"},
	"load --rate":        {"-1": "from 0 to 1000000", "NaN": "from 0 to 1000000"},
	"load --seed":        {"-1": "want a whole number from 0 on"},
	"load --timeout":     {"0s": "want 1ms to 1m", "2m": "want 1ms to 1m"},
	"load --max-p99":     {"-1s": "want a limit from 0 on"},
	"load --max-errors":  {"-1": "want a limit from 0 on"},

	"verify --top":     {"0": "from 1 to 10000", "10001": "from 1 to 10000"},
	"verify --rate":    {"0": "from 0.1 to 100", "101": "from 0.1 to 100", "NaN": "from 0.1 to 100"},
	"verify --limit":   {"-1": "want a number from 0 on"},
	"verify --show":    {"-1": "want a number from 0 on"},
	"verify --timeout": {"0s": "want 1ms to 1m", "2m": "want 1ms to 1m"},

	"warm --wait-for": {"27.10.2025": "want a date as in 2025-10-27"},
	"warm --since":    {"-1s": "want a duration from 0s on"},
	"warm --top":      {"0": "from 1 to 10000", "10001": "from 1 to 10000"},
	"warm --timeout":  {"0s": "want a duration above zero"},

	"preflight --max-p95":  {"0s": "want a duration above zero"},
	"preflight --requests": {"-1": "from 0 to 1000000", "1000001": "from 0 to 1000000"},
	"preflight --verify":   {"-1": "from 0 to 10000", "10001": "from 0 to 10000"},
	"preflight --timeout":  {"10ms": "want at least 1s"},

	"purge --path":   {"teams/": "want the path of a request"},
	"purge --route":  {"/nowhere/": "want one of /athletes/ "},
	"purge --scope":  {"2025": "want season/division/gender/checkpoint", "2025/2030/X/live": "such as 2025/2030/M/live"},
	"source --route": {"/nowhere/": "want one of /athletes/ "},

	"maintenance on --until": {"soon": "want a time as 15:04", "-5m": "in the past"},

	"purge --timeout": {"0s": "want a duration"}, "explain --timeout": {"0s": "want a duration"}, "source --timeout": {"-1s": "want a duration"},
	"health --timeout": {"0s": "want a duration"}, "maintenance --timeout": {"0s": "want a duration"},
	"maintenance on --timeout": {"0s": "want a duration"}, "maintenance off --timeout": {"0s": "want a duration"},
}

// free are flags whose value may be any text, or is checked when it is used. The error for
// a file names it.
var free = []string{"url", "from-log", "file", "message", "help"}

// TestWrongValuesAreRefused holds that each command refuses a wrong value of each of its
// flags before it connects, with an error that names the flag and the right values.
func TestWrongValuesAreRefused(t *testing.T) {
	known := map[string]bool{}
	for _, cmd := range commands((&program{}).rootCommand()) {
		name := strings.TrimPrefix(cmd.CommandPath(), "xcri-proxy ")
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if _, ok := f.Value.(*keyFlag); ok || slices.Contains(free, f.Name) {
				return // a setting: config refuses wrong values
			}
			row := name + " --" + f.Name
			values, listed := refused[row]
			known[row] = true
			kind := kinds[f.Value.Type()]
			if kind == "" && !listed {
				t.Errorf("%s: no wrong value is listed in this test", row)
			}
			if kind != "" {
				refuse(t, name, f, "x", "want "+kind)
			}
			if f.Value.Type() != "bool" && !listed {
				t.Errorf("%s: no wrong value is listed in this test", row)
			}
			for value, want := range values {
				refuse(t, name, f, value, want)
			}
		})
	}
	for row := range refused {
		if !known[row] {
			t.Errorf("%s: no command has this flag", row)
		}
	}
}

// commands returns the commands below cmd that do something.
func commands(cmd *cobra.Command) (all []*cobra.Command) {
	for _, c := range cmd.Commands() {
		if c.Runnable() {
			all = append(all, c)
		}
		all = append(all, commands(c)...)
	}
	return all
}

// refuse runs a command with a value of one of its flags.
func refuse(t *testing.T, name string, f *pflag.Flag, value, want string) {
	t.Helper()
	args := strings.Fields(name)
	if f.Name != "path" && f.Name != "route" && f.Name != "scope" || name != "purge" {
		args = append(args, arguments[name]...)
	}
	args = append(args, "--"+f.Name+"="+value)
	if name != "load" && name != "preflight" {
		args = append(args, "--url", nowhere)
	}
	var stdout, stderr bytes.Buffer
	status := run(args, nil, &stdout, &stderr)
	if text := stderr.String(); status != exit.Usage || !strings.Contains(text, want) || !strings.Contains(text, "--"+f.Name) || stdout.Len() > 0 {
		t.Errorf("%q: status %d, want %q\n%s%s", args, status, want, text, stdout.String())
	}
}

// TestWrongSettingsAreRefused holds that the commands that read settings refuse a wrong
// value of each before they connect, and name the setting.
func TestWrongSettingsAreRefused(t *testing.T) {
	for _, cmd := range commands((&program{}).rootCommand()) {
		name := strings.TrimPrefix(cmd.CommandPath(), "xcri-proxy ")
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			key, ok := f.Value.(*keyFlag)
			if !ok {
				return
			}
			const wrong = "\x00"
			if _, err := config.Load(map[string]string{key.key.Name: wrong}, func(string) (string, bool) { return "", false }); err == nil {
				return // a password may be anything
			}
			args := append(strings.Fields(name), arguments[name]...)
			args = append(args, "--"+f.Name, wrong)
			var stdout, stderr bytes.Buffer
			status := run(args, nil, &stdout, &stderr)
			if !strings.Contains(stderr.String(), key.key.Name) || status != exit.Usage {
				t.Errorf("%q: status %d\n%s", args, status, stderr.String())
			}
		})
	}
}
