// Package health answers /health and the root of the API: whether the service is well, and
// how many rows the tables have. It also answers the probes of supervisors.
package health

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/reply"
)

const (
	// apiVersion is the version of the API that the answers follow.
	apiVersion = "2.0.0"
	// pingEvery and pingTimeout limit the load of health checks on the database.
	pingEvery   = time.Second
	pingTimeout = 2 * time.Second
)

// Words are the statuses that a page, /health or the root, has for a database that is down
// and for empty tables.
type Words struct{ down, empty string }

// The two pages.
var (
	Page = Words{down: "unhealthy", empty: "degraded"} // /health
	Root = Words{down: "degraded", empty: "healthy"}   // the root of the API
)

// Options configure a Health. All are required.
type Options struct {
	// Ping returns nil if the database answers.
	Ping func(context.Context) error
	// Down reports whether the database is known to be down.
	Down func() bool
	// Paused reports whether the database must not be used.
	Paused func() bool
	// Tables returns the JSON of the numbers of rows.
	Tables func() ([]byte, error)
	// Ready reports whether the service accepts requests and has answers.
	Ready func() bool
}

// Health answers health checks. It is safe for concurrent use.
type Health struct {
	opts Options

	mu     sync.Mutex
	pinged time.Time
	err    error // of the last ping
}

// New returns a Health.
func New(opts Options) *Health { return &Health{opts: opts} }

// ping asks the database, at most once in pingEvery.
func (h *Health) ping() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.pinged) >= pingEvery {
		ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
		defer cancel()
		h.err = h.opts.Ping(ctx)
		h.pinged = time.Now()
	}
	return h.err
}

// Serve answers with the state of the service. While the database must not be used, it
// counts as connected unless it is known to be down.
func (h *Health) Serve(ctx *fasthttp.RequestCtx, words Words) {
	tables := []byte("null")
	connected := !h.opts.Down() && (h.opts.Paused() || h.ping() == nil)
	if connected {
		if counts, err := h.opts.Tables(); err == nil {
			tables = counts
		} else {
			connected = false
		}
	}
	status := "healthy"
	switch {
	case !connected:
		status = words.down
	case bytes.Contains(tables, []byte(":0,")) || bytes.HasSuffix(tables, []byte(":0}")):
		status = words.empty
	}
	body := append([]byte(`{"status":"`), status...)
	body = append(body, `","api_version":"`+apiVersion+`","database_connected":`...)
	body = strconv.AppendBool(body, connected)
	body = append(append(body, `,"database_tables":`...), tables...)
	body = append(body, `,"timestamp":"`+timestamp(time.Now())+`"}`...)
	reply.Send(ctx, fasthttp.StatusOK, body)
}

// timestamp formats a local time as Python's isoformat does: with microseconds in six
// digits, or without a fraction.
func timestamp(t time.Time) string {
	if t.Nanosecond() < 1000 {
		return t.Format("2006-01-02T15:04:05")
	}
	return t.Format("2006-01-02T15:04:05.000000")
}
