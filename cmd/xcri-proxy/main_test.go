package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/config"
)

// apiPath is the path of the API in access logs.
const apiPath = "/iz/xcri/api"

// line returns a line of an access log in the combined format.
func line(request string, status int) string {
	return fmt.Sprintf(`192.0.2.7 - - [27/Oct/2025:03:14:07 -0500] "%s" %d 51234 "-" "Mozilla/5.0 (X11; Linux x86_64)"`, request, status)
}

// command runs a command line and returns the exit status and the output.
func command(environ []string, args ...string) (status int, stdout, stderr string) {
	var out, errs strings.Builder
	status = run(args, environ, &out, &errs)
	return status, out.String(), errs.String()
}

func TestWrongCommandLines(t *testing.T) {
	tests := []struct {
		name   string
		env    []string
		args   []string
		stderr string
	}{
		{"unknown command", nil, []string{"srve"},
			"xcri-proxy: unknown command \"srve\" for \"xcri-proxy\"\n\nDid you mean this?\n\tserve\nsee xcri-proxy --help\n"},
		{"unknown command like none", nil, []string{"frobnicate"},
			"xcri-proxy: unknown command \"frobnicate\" for \"xcri-proxy\"\nsee xcri-proxy --help\n"},
		{"argument", nil, []string{"serve", "now"},
			"xcri-proxy: serve takes no arguments, but there is \"now\"\nsee xcri-proxy serve --help\n"},
		{"unknown flag", nil, []string{"serve", "--listen-adr=:1"},
			"xcri-proxy: unknown flag: --listen-adr, did you mean --listen-addr?\nsee xcri-proxy serve --help\n"},
		{"unknown flag like none", nil, []string{"config", "--frobnicate"},
			"xcri-proxy: unknown flag: --frobnicate\nsee xcri-proxy config --help\n"},
		{"flag of another command", nil, []string{"health", "--cache-bytes=1MiB"},
			"xcri-proxy: unknown flag: --cache-bytes\nsee xcri-proxy health --help\n"},
		{"unknown flag of the root", nil, []string{"--listen-addr=:1"},
			"xcri-proxy: unknown flag: --listen-addr\nsee xcri-proxy --help\n"},
		{"one dash does not show the secret", nil, []string{"serve", "-admin-token=hunter2"},
			"xcri-proxy: unknown flag: -admin-token, did you mean --admin-token?\nsee xcri-proxy serve --help\n"},
		{"flag without a value", nil, []string{"serve", "--listen-addr"},
			"xcri-proxy: flag needs an argument: --listen-addr\nsee xcri-proxy serve --help\n"},
		{"malformed value", nil, []string{"serve", "--listen-addr", "8000"},
			"xcri-proxy: the configuration is wrong:\n" +
				"  LISTEN_ADDR=\"8000\" (flag --listen-addr): must be host:port with a port from 0 to 65535, an IPv6 address in brackets, or unix: and a path\n" +
				"see xcri-proxy serve --help\n"},
		{"malformed values of the environment", []string{"DATABASE_PORT=x", "DATABASE_HOSTT=y", "ADMIN_TOKEN=hunter2", "PATH=/bin"}, []string{"config"},
			"xcri-proxy: the configuration is wrong:\n" +
				"  unknown key DATABASE_HOSTT, did you mean DATABASE_HOST? (environment)\n" +
				"  ADMIN_TOKEN (environment): must be at least 16 printable ASCII characters without a space\n" +
				"  DATABASE_PORT=\"x\" (environment): must be a whole number from 1 to 65535\n" +
				"see xcri-proxy config --help\n"},
		{"unknown flag that resembles a flag of no setting", nil, []string{"purge", "--al"},
			"xcri-proxy: unknown flag: --al, did you mean --all?\nsee xcri-proxy purge --help\n"},
		{"unknown short flag", nil, []string{"warm", "-x"},
			"xcri-proxy: unknown flag: -x\nsee xcri-proxy warm --help\n"},
		{"malformed value for health", nil, []string{"health", "--timeout", "soon"},
			"xcri-proxy: --timeout \"soon\": want a duration such as 500ms, 30s or 2h\nsee xcri-proxy health --help\n"},
		{"health without a port", nil, []string{"health", "--listen-addr", ":0"},
			"xcri-proxy: LISTEN_ADDR=\":0\" leaves the port open; name the port in use with --listen-addr\nsee xcri-proxy health --help\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := command(tt.env, tt.args...)
			if status != 2 || stdout != "" || stderr != tt.stderr {
				t.Errorf("status %d\nstdout %s\ngot  %s\nwant %s", status, stdout, stderr, tt.stderr)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"help"}, {"--help"}} {
		status, stdout, stderr := command(nil, args...)
		if status != 0 || stderr != "" || !strings.Contains(stdout, "  serve       Serve the API") || strings.Contains(stdout, "completion") {
			t.Errorf("%q: status %d\n%s%s", args, status, stdout, stderr)
		}
	}
	for _, args := range [][]string{{"serve", "--help"}, {"help", "config"}} {
		status, stdout, stderr := command(nil, args...)
		if status != 0 || stderr != "" {
			t.Errorf("%q: status %d, stderr %s", args, status, stderr)
		}
		text := strings.Join(strings.Fields(stdout), " ")
		for _, k := range config.Keys() {
			def := fmt.Sprintf("%q)", k.Default)
			if k.Default == "" {
				def = "none)"
			}
			want := fmt.Sprintf("--%s %s %s (%s, default %s", k.Flag(), k.Example, k.Usage, k.Name, def)
			if !strings.Contains(text, want) {
				t.Errorf("%q: no %q in\n%s", args, want, stdout)
			}
		}
		for _, heading := range []string{"\nExamples:\n", "\nServer:\n", "\nDatabase:\n", "\nCache:\n", "\nLegacy API:\n", "\nOther flags:\n"} {
			if strings.Count(stdout, heading) != 1 {
				t.Errorf("%q: the heading %q is not there once in\n%s", args, heading, stdout)
			}
		}
	}
}

func TestConfig(t *testing.T) {
	const secret = "s3cr3t-s3cr3t-s3cr3t"
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte("DATABASE_PASSWORD="+secret+"\nLOG_LEVEL=debug\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := command([]string{"ADMIN_TOKEN=" + secret, "ENV_FILE=" + path, "GENERATION_POLL=5s"}, "config", "--wait-timeout", "1m")
	if status != 0 || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	if strings.Contains(stdout, "s3cr3t") {
		t.Errorf("shows the secret:\n%s", stdout)
	}
	text := strings.Join(strings.Fields(stdout), " ")
	for _, want := range []string{
		"ADMIN_TOKEN=(hidden) # environment", "DATABASE_PASSWORD=(hidden) # " + path + ":1", "LOG_LEVEL=DEBUG # " + path + ":2",
		"GENERATION_POLL=5s # environment", "WAIT_TIMEOUT=1m # flag --wait-timeout", "DATABASE_PORT=3306 # default",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

func TestVersion(t *testing.T) {
	version = "v1.2.3"
	defer func() { version = "" }()
	status, stdout, _ := command(nil, "version")
	if status != 0 || !strings.HasPrefix(stdout, "xcri-proxy v1.2.3 (commit ") || !strings.Contains(stdout, ", go1.") {
		t.Errorf("status %d: %s", status, stdout)
	}
	for _, flag := range []string{"--version", "-v"} {
		if status, out, _ := command(nil, flag); status != 0 || out != stdout {
			t.Errorf("%s: status %d: %s", flag, status, out)
		}
	}
	version = ""
	if buildVersion() == "" {
		t.Error("no version without -ldflags")
	}
}

// TestCompletion holds that the completion scripts of the shells are generated, and
// that they complete a source.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if status, stdout, stderr := command(nil, "completion", shell); status != 0 || !strings.Contains(stdout, "xcri-proxy") || stderr != "" {
			t.Errorf("%s: status %d, %d bytes, %s", shell, status, len(stdout), stderr)
		}
	}
	const unknown = "completion \"bahs\": want bash, zsh, fish or powershell"
	if status, stdout, stderr := command(nil, "completion", "bahs"); status != 2 || stdout != "" || !strings.Contains(stderr, unknown) {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if status, stdout, stderr := command(nil, "completion"); status != 0 || !strings.Contains(stdout, "powershell") || stderr != "" {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if status, stdout, _ := command(nil, "__complete", "source", "le"); status != 0 || !strings.HasPrefix(stdout, "legacy\n") {
		t.Errorf("status %d: %s", status, stdout)
	}
}

// serve runs the serve command with start in place of the service.
func serve(start func(context.Context, config.Config, *slog.Logger) error, args ...string) (status int, stderr string) {
	var errs strings.Builder
	p := &program{Streams: console.Streams{Out: &errs, Err: &errs}, start: start}
	status = p.run(append([]string{"serve"}, args...))
	return status, errs.String()
}

func TestServe(t *testing.T) {
	status, stderr := serve(func(_ context.Context, cfg config.Config, log *slog.Logger) error {
		log.Info("not shown")
		log.Warn("shown", "addr", cfg.ListenAddr)
		return nil
	}, "--log-level", "warning", "--listen-addr", ":1")
	if status != 0 || !strings.Contains(stderr, `"level":"WARN","msg":"shown","addr":":1"`) || strings.Contains(stderr, "not shown") {
		t.Errorf("status %d, stderr %s", status, stderr)
	}
}

func TestServeFails(t *testing.T) {
	status, stderr := serve(func(context.Context, config.Config, *slog.Logger) error { return errors.New("no database") })
	if status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, `"error":"no database"`) {
		t.Errorf("status %d, stderr %s", status, stderr)
	}
}

func TestServeEndsOnSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		status, stderr := serve(func(ctx context.Context, _ config.Config, _ *slog.Logger) error {
			if err := syscall.Kill(os.Getpid(), sig); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		})
		if status != 0 || stderr != "" {
			t.Errorf("%v: status %d, stderr %s", sig, status, stderr)
		}
	}
}
