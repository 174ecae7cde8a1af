// Package tail prints the requests of a running proxy as they come.
package tail

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/plural"
	"github.com/lewistv/xcri-proxy/proxy/route"
	requests "github.com/lewistv/xcri-proxy/proxy/tail"
	"github.com/lewistv/xcri-proxy/store"
)

// Options are the flags of tail.
type Options struct {
	Slow     time.Duration // least time to the answer
	Outcomes []string
	Routes   []string
	Clients  []string
	JSON     bool
	Count    int // lines after which to end; zero for no end
}

// Check validates the flags, the filter as the proxy does.
func (o Options) Check() error {
	switch {
	case o.Slow < 0:
		return errors.New("--slow: want a time such as 100ms")
	case o.Count < 0:
		return errors.New("--count: want a number of lines")
	}
	_, err := requests.ParseFilter(o.filter().Get, requests.Names{
		Outcomes: cache.OutcomeNames(),
		RouteOf: func(name string) (string, error) {
			_, err := route.NewRouter(store.Endpoints(), "").Named(name)
			return name, err
		},
	})
	if err != nil {
		return fmt.Errorf("--%w", err)
	}
	return nil
}

// filter returns the fields of the page's filter.
func (o Options) filter() url.Values {
	fields := url.Values{}
	if o.Slow > 0 {
		fields.Set("slow", o.Slow.String())
	}
	for name, values := range map[string][]string{"outcome": o.Outcomes, "route": o.Routes, "client": o.Clients} {
		if len(values) > 0 {
			fields.Set(name, strings.Join(values, ","))
		}
	}
	return fields
}

// errEnough ends the reading after Options.Count lines.
var errEnough = errors.New("enough")

// Run prints requests until ctx ends, or an interrupt, or the proxy stops.
func Run(ctx context.Context, c *adminclient.Client, o Options, std console.Streams) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	left := o.Count
	var line bytes.Buffer
	err := c.Tail(ctx, o.filter(), func(l *adminclient.TailLine) error {
		line.Reset()
		switch {
		case o.JSON:
			line.Write(l.Text)
		case l.Lost > 0:
			fmt.Fprintf(&line, "%s %s not shown: this terminal is too slow", plural.Of(l.Lost, "request"), plural.Word(l.Lost, "is", "are"))
		default:
			line.WriteString(Text(&l.Request))
		}
		line.WriteByte('\n')
		if _, err := std.Out.Write(line.Bytes()); err != nil {
			return exit.Wrap(exit.Runtime, err)
		}
		if l.Lost > 0 || o.Count == 0 {
			return nil
		}
		if left--; left == 0 {
			return errEnough
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough), ctx.Err() != nil:
		return nil
	case err == nil:
		fmt.Fprintln(std.Err, "xcri-proxy tail: the proxy ended the answer; it stops, or restarts")
	}
	return err
}

// Text returns a request as a line of text: time, outcome, status, time to the answer,
// client, request, and for a load its ID and longest phases.
func Text(r *api.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-11s  %d  %8s  %-15s  %s %s", r.At.Local().Format("15:04:05.000"), cmp.Or(r.Outcome, "-"), r.Status,
		milliseconds(r.TookMS), cmp.Or(r.Client, "-"), r.Method, r.Target)
	for _, p := range r.Phases.All() {
		if p.MS >= r.TookMS/10 && p.MS >= 0.1 || p.Name == "write" && p.MS >= 100 {
			fmt.Fprintf(&b, "  %s %s", p.Name, milliseconds(p.MS))
		}
	}
	if r.ID != "" {
		b.WriteString("  " + r.ID)
	}
	return b.String()
}

// milliseconds returns a time with its unit.
func milliseconds(ms float64) string {
	switch {
	case ms < 1:
		return fmt.Sprintf("%.0f µs", ms*1000)
	case ms < 1000:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.2f s", ms/1000)
}
