package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
)

// errMaintenance is the error of what is not done in maintenance mode.
var errMaintenance = errors.New("maintenance mode is on")

const (
	// maxMessage is how many characters of a message people are shown.
	maxMessage = 500
	// longestMaintenance is where an end that is further away was mistyped.
	longestMaintenance = 366 * 24 * time.Hour
)

// Maintenance returns what people are told in maintenance mode, and nil while it
// is off. It must not be changed.
func (p *Proxy) Maintenance() *Maintenance { return p.maintenance.Load() }

// setMaintenance turns maintenance mode on with next, or off with nil. The error
// says why that could not be kept; it holds all the same.
func (p *Proxy) setMaintenance(next *Maintenance) error {
	var before *Maintenance
	err := p.changeState(func(s *State) {
		if before = s.Maintenance; before != nil && next != nil {
			next.Since = before.Since
		}
		s.Maintenance = next
		p.maintenance.Store(next)
	})
	switch {
	case next != nil:
		p.logMaintenance("maintenance mode is on", next)
	case before != nil:
		p.logMaintenance("maintenance mode is off", before)
		p.wake()
	}
	return err
}

func (p *Proxy) logMaintenance(event string, m *Maintenance) {
	until := "not said"
	if m.Until != nil {
		until = m.Until.Format(time.RFC3339)
	}
	p.opts.Logger.Info(event, "since", m.Since.Format(time.RFC3339), "until", until, "message", m.Message)
}

// answer takes what ref names from the cache. What is missing or stale is
// filled, but not in maintenance mode.
func (p *Proxy) answer(ref *cache.Ref) (*cache.Entry, cache.Outcome, error) {
	if p.Maintenance() == nil {
		return p.cache.Follow(ref)
	}
	entry, outcome, ok := p.cache.Cached(ref.Key)
	if !ok {
		return nil, cache.Error, errMaintenance
	}
	return entry, outcome, nil
}

// serveNotice answers what is below the base path and not of the API while m is
// on. Who opens or reloads a page gets the notice; the files of a page that is
// open already are the site's, as ever.
func (p *Proxy) serveNotice(ctx *fasthttp.RequestCtx, at place, m *Maintenance) {
	switch {
	case !ctx.IsGet() && !ctx.IsHead():
		p.failMaintenance(ctx)
	case opensPage(ctx, at.path):
		now := time.Now()
		setRetryAfter(ctx, m.wait(now))
		ctx.Response.Header.SetContentType("text/html; charset=utf-8")
		ctx.Response.Header.Set("Content-Security-Policy", p.notice.policy)
		p.headers.send(ctx, fasthttp.StatusServiceUnavailable, p.notice.render(m.words(now)))
	case p.opts.Site != nil:
		p.serveSite(ctx, at)
	default:
		p.failMaintenance(ctx)
	}
}

// opensPage tells a request for a page from one for a file that belongs to it.
func opensPage(ctx *fasthttp.RequestCtx, target []byte) bool {
	extension := path.Ext(string(target))
	return extension == "" || strings.HasPrefix(extension, ".htm") || bytes.Contains(ctx.Request.Header.Peek(fasthttp.HeaderAccept), []byte("text/html"))
}

// failMaintenance answers a request that has to wait for the end of maintenance
// mode, in the shape of the API's errors.
func (p *Proxy) failMaintenance(ctx *fasthttp.RequestCtx) {
	m, now := p.Maintenance(), time.Now()
	if m == nil {
		m = &Maintenance{Until: &now} // it ends this moment
	}
	setRetryAfter(ctx, m.wait(now))
	p.fail(ctx, fasthttp.StatusServiceUnavailable, "The rankings are closed for maintenance. "+m.when(now)+".")
}

func setRetryAfter(ctx *fasthttp.RequestCtx, wait time.Duration) {
	ctx.Response.Header.Set("Retry-After", strconv.FormatInt(int64(wait/time.Second), 10))
}

// maintenanceRequest is the body of a POST to /cache/maintenance.
type maintenanceRequest struct {
	On *bool `json:"on"`
	// Until is what people are told, in RFC 3339: nothing ends by itself.
	Until   string `json:"until"`
	Message string `json:"message"`
}

// maintenanceStats are what people are told.
type maintenanceStats struct {
	Since   *time.Time `json:"since"`
	Until   *time.Time `json:"until"` // null if nobody has said
	Message string     `json:"message"`
}

// maintenanceState is what /cache/maintenance shows.
type maintenanceState struct {
	On bool `json:"on"`
	maintenanceStats
	// Warning says why a change will not survive a restart.
	Warning string `json:"warning,omitempty"`
}

// stats returns nil while maintenance mode is off.
func (m *Maintenance) stats() *maintenanceStats {
	if m == nil {
		return nil
	}
	return &maintenanceStats{&m.Since, m.Until, m.Message}
}

// serveMaintenance shows whether maintenance mode is on.
func (p *Proxy) serveMaintenance(ctx *fasthttp.RequestCtx) { p.sendMaintenance(ctx, nil) }

// changeMaintenance turns it on or off.
func (p *Proxy) changeMaintenance(ctx *fasthttp.RequestCtx) {
	var req maintenanceRequest
	if !p.readJSON(ctx, &req) {
		return
	}
	next, err := req.maintenance(time.Now())
	if err != nil {
		p.fail(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	if next == nil && p.Maintenance() == nil {
		p.sendMaintenance(ctx, nil) // and nothing to keep
		return
	}
	p.sendMaintenance(ctx, p.setMaintenance(next))
}

func (p *Proxy) sendMaintenance(ctx *fasthttp.RequestCtx, notKept error) {
	var state maintenanceState
	if m := p.Maintenance(); m != nil {
		state.On, state.maintenanceStats = true, *m.stats()
	}
	if notKept != nil {
		state.Warning = notKept.Error()
	}
	p.sendJSON(ctx, fasthttp.StatusOK, state)
}

// maintenance checks a request and returns what it wants, nil for off.
func (r maintenanceRequest) maintenance(now time.Time) (*Maintenance, error) {
	switch {
	case r.On == nil:
		return nil, errors.New("on: true or false is wanted")
	case !*r.On && (r.Until != "" || r.Message != ""):
		return nil, errors.New("until and message: only for on")
	case !*r.On:
		return nil, nil
	}
	m := &Maintenance{Since: now.Truncate(time.Second), Message: r.Message}
	if r.Until != "" {
		until, err := time.Parse(time.RFC3339, r.Until)
		switch {
		case err != nil:
			return nil, fmt.Errorf("until %q: want a time as in 2026-11-23T18:00:00-05:00", r.Until)
		case !until.After(now):
			return nil, fmt.Errorf("until %s is in the past", r.Until)
		case until.Sub(now) > longestMaintenance:
			return nil, fmt.Errorf("until %s is more than a year away", r.Until)
		}
		m.Until = &until
	}
	return m, checkMessage(r.Message)
}

// checkMessage says what is wrong with a message to people.
func checkMessage(text string) error {
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("message: it has control characters, such as a line break, or is not UTF-8")
	case n > maxMessage:
		return fmt.Errorf("message: %d characters are too many, the most are %d", n, maxMessage)
	}
	return nil
}
