package proxy

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

const (
	// apiVersion is the version of the API whose answers we give.
	apiVersion = "2.0.0"
	// pingEvery and pingTimeout bound what a flood of health checks asks of the
	// database.
	pingEvery   = time.Second
	pingTimeout = 2 * time.Second
)

// page is one of the two pages that tell the state of the service. They differ
// in the words for trouble.
type page struct{ down, empty string }

var (
	healthPage = page{down: "unhealthy", empty: "degraded"}
	rootPage   = page{down: "degraded", empty: "healthy"}
)

// health remembers for a moment whether the database answers.
type health struct {
	mu      sync.Mutex
	checked time.Time
	err     error
}

func (p *Proxy) ping() error {
	p.health.mu.Lock()
	defer p.health.mu.Unlock()
	if now := time.Now(); now.Sub(p.health.checked) >= pingEvery {
		ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
		defer cancel()
		p.health.err = p.opts.Origin.Ping(ctx)
		p.health.checked = time.Now()
	}
	return p.health.err
}

// serveHealth answers with the state of the service. The counts come from the
// cache; whether the database answers, and the time, do not. In maintenance mode
// the database is not asked: what was known of it last is told.
func (p *Proxy) serveHealth(ctx *fasthttp.RequestCtx, words page) {
	tables := []byte("null")
	_, outage := p.outage.Since()
	connected := outage == nil && (p.maintenance.On() || p.ping() == nil)
	if connected {
		entry, _, err := p.answer(&cache.Ref{Key: route.HealthPath})
		if connected = err == nil; connected {
			tables = entry.Variants[content.Identity].Body
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

// timestamp writes a local time as Python's isoformat does: microseconds in six
// digits, or none at all.
func timestamp(t time.Time) string {
	if t.Nanosecond() < 1000 {
		return t.Format("2006-01-02T15:04:05")
	}
	return t.Format("2006-01-02T15:04:05.000000")
}
