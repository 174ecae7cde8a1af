// Package level starts a Redis that members of a fleet share, and counts its operations.
package level

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
)

const (
	port = "18079"
	// Setting makes a proxy a member of the fleet.
	Setting = "SHARED_CACHE=redis://127.0.0.1:" + port
)

// Level is a Redis that keeps nothing on disk.
type Level struct {
	*machine.Service
}

// Start starts an empty Redis. The caller must stop it. Its priority is above the other
// programs', because it would have a machine of its own.
func Start(ctx context.Context) (Level, error) {
	s, err := machine.Launch(ctx, machine.Program{Name: "Redis", Addr: "127.0.0.1:" + port, Args: []string{
		"nice", "-n", "-10", "redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--daemonize", "no",
	}})
	return Level{s}, err
}

// Texts returns the number of texts that members share, such as the sums of a table.
func (l Level) Texts(ctx context.Context) (n int, err error) {
	out, err := machine.Command(ctx, "redis-cli", "-p", port, "--scan", "--pattern", "xcri-proxy:*:text:*")
	return len(strings.Fields(out)), err
}

// Counts are counters of a Redis since its start.
type Counts struct {
	Calls   map[string]int64 // of each command, also of commands in scripts
	In, Out int64            // bytes
}

// Counts reads the counters.
func (l Level) Counts(ctx context.Context) (c Counts, err error) {
	out, err := machine.Command(ctx, "redis-cli", "-p", port, "INFO", "commandstats", "stats")
	if err != nil {
		return c, err
	}
	return Parse(out)
}

// Memory returns the bytes that the Redis holds.
func (l Level) Memory(ctx context.Context) (bytes int64, err error) {
	out, err := machine.Command(ctx, "redis-cli", "-p", port, "INFO", "memory")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(out) {
		if text, ok := strings.CutPrefix(line, "used_memory:"); ok {
			return strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		}
	}
	return 0, fmt.Errorf("no used_memory in %q", out)
}

// Parse reads the counters in the text of INFO.
func Parse(info string) (c Counts, err error) {
	c.Calls = map[string]int64{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		var n *int64
		switch name {
		case "total_net_input_bytes":
			n = &c.In
		case "total_net_output_bytes":
			n = &c.Out
		default:
			if command, ok := strings.CutPrefix(name, "cmdstat_"); ok {
				value, _, _ = strings.Cut(strings.TrimPrefix(value, "calls="), ",")
				calls, err := strconv.ParseInt(value, 10, 64)
				if err != nil {
					return c, fmt.Errorf("%s: %w", line, err)
				}
				c.Calls[command] = calls
			}
			continue
		}
		if *n, err = strconv.ParseInt(value, 10, 64); err != nil {
			return c, fmt.Errorf("%s: %w", line, err)
		}
	}
	return c, nil
}

// Minus returns the counts since earlier counts.
func (c Counts) Minus(before Counts) Counts {
	d := Counts{Calls: map[string]int64{}, In: c.In - before.In, Out: c.Out - before.Out}
	for name, n := range c.Calls {
		d.Calls[name] = n - before.Calls[name]
	}
	return d
}

// Beats returns the number of heartbeats and of comparisons of the log.
func (c Counts) Beats() int64 {
	return c.Calls["hset"] + c.Calls["xrevrange"] + c.Calls["xrange"] // commands of their scripts alone
}

// Requests returns the number of scripts and commands that members have sent, without
// probes.
func (c Counts) Requests() (n int64) {
	for _, name := range []string{"evalsha", "getrange", "xrange"} { // no script calls the latter two
		n += c.Calls[name]
	}
	return n
}
