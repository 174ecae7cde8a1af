// Package admin answers operators: the pages below /cache and the metrics. It reads
// the state of all parts of the proxy, and changes it on request.
package admin

import (
	"bytes"
	"log/slog"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/proxy/admin/body"
	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
	"github.com/lewistv/xcri-proxy/proxy/admin/prometheus"
	"github.com/lewistv/xcri-proxy/proxy/budget"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/front"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/preload"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/season"
	"github.com/lewistv/xcri-proxy/proxy/share"
	"github.com/lewistv/xcri-proxy/proxy/site"
	"github.com/lewistv/xcri-proxy/proxy/slowest"
	"github.com/lewistv/xcri-proxy/proxy/tail"
	"github.com/lewistv/xcri-proxy/proxy/verify"
	"github.com/lewistv/xcri-proxy/proxy/visitor"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store"
)

// Settings configure the parts that depend on the program and its settings. All may be
// zero; New sets the gate's Logger.
type Settings struct {
	Gate        gate.Options
	MemoryLimit Limit
	// LostLines returns the number of lines of the log that were dropped; nil means
	// none.
	LostLines func() int64
}

// Limit is the limit for the memory of the process.
type Limit struct {
	Bytes   int64  // zero for no limit
	Setting string // its name, for operators
}

// Options name the parts that an Admin reads and changes. A field is required unless its
// comment gives nil a meaning.
type Options struct {
	Settings
	Trust visitor.Trust
	Sources
	Resources
	Site        *site.Site       // nil if there is no site
	Preload     *preload.Learner // nil if pages name no lists
	Routes      *route.Router
	Cache       *cache.Cache
	Outage      *cache.Outage
	Metrics     *metrics.Metrics
	Shares      *share.Shares
	Generations *generation.Watcher
	Maintenance *maintenance.Mode
	// Fleet is this proxy's part in a fleet; nil means that it shares nothing.
	Fleet *fleet.Fleet
	// Events takes the changes that operators make, and is shown to them; nil keeps none.
	Events *events.List
	// Slowest holds the slowest requests; nil means none.
	Slowest *slowest.List
	// Tail passes requests on to operators.
	Tail *tail.Hub
	// Log counts the lines that the access log dropped; nil means no access log.
	Log     interface{ Dropped() int64 }
	Version string // of the program
	// Logger receives changes; nil discards them.
	Logger *slog.Logger
}

// Sources are the origins of answers, and the work that asks them ahead of requests.
type Sources struct {
	// Store is the database, as far as this package needs it.
	Store   interface{ Stats() store.Stats }
	Legacy  *legacy.Client // nil if there is no old API
	Origins *origin.Origins
	Verify  *verify.Verifier
	Season  *season.Walker
	// OnSourceChange applies a change of sources to everything that depends on them. It
	// returns the number of entries that became stale, and why the change can't be kept for
	// the next run.
	OnSourceChange func(moved []*route.Route) (purged int, unkept error)
}

// Resources count the memory and the connections of the process.
type Resources struct {
	Memory   *memfile.Memory
	Requests *budget.Budget // nil means no limit
	Fronts   *front.Purger  // nil if there are no caches in front to purge
	// Connections counts the connections of clients.
	Connections func() wire.Stats
}

// Admin answers operators. It is safe for concurrent use.
type Admin struct {
	opts    Options
	gate    *gate.Gate
	started time.Time
	notice  *maintenance.Page // for its preview
	record
}

// New returns an Admin. Its history begins once Run is called.
func New(opts Options) *Admin {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	opts.Gate.Logger = opts.Logger
	if opts.LostLines == nil {
		opts.LostLines = func() int64 { return 0 }
	}
	return &Admin{opts: opts, gate: gate.New(opts.Gate), started: time.Now(), notice: maintenance.NewPage(), record: newRecord(opts.Routes.Routes())}
}

// Refused counts the requests that were not admitted, by cause.
func (a *Admin) Refused() map[string]int64 { return a.gate.Refused() }

// page answers the requests for one path: answer serves GET and HEAD; change serves POST,
// and may change the state. Either may be nil.
type page struct {
	answer, change func(*Admin, *fasthttp.RequestCtx)
	form           bool // change takes an HTML form
	open           bool // without a credential
}

// pages are the paths for operators, without a final slash.
var pages = map[string]page{
	"/metrics":                   {answer: (*Admin).serveMetrics},
	"/cache":                     {answer: (*Admin).servePage},
	"/cache/page.css":            {answer: (*Admin).servePage},
	"/cache/noscript.css":        {answer: (*Admin).servePage},
	"/cache/page.js":             {answer: (*Admin).servePage},
	"/cache/charts.js":           {answer: (*Admin).servePage},
	"/cache/actions.js":          {answer: (*Admin).servePage},
	"/cache/history":             {answer: (*Admin).serveHistory},
	"/cache/stats":               {answer: (*Admin).serveStats},
	"/cache/tail":                {answer: (*Admin).serveTail},
	"/cache/maintenance":         {answer: (*Admin).serveMaintenance, change: (*Admin).changeMaintenance},
	"/cache/maintenance/preview": {answer: (*Admin).servePreview},
	"/cache/warm":                {answer: (*Admin).serveWarmStatus, change: (*Admin).serveWarm},
	"/cache/purge":               {change: (*Admin).servePurge},
	"/cache/source":              {answer: (*Admin).serveSource, change: (*Admin).serveSourceChange},
	"/cache/verify":              {answer: (*Admin).serveVerifySubjects, change: (*Admin).serveVerify},
	"/cache/entry":               {answer: (*Admin).serveEntry},
	"/cache/login":               {answer: (*Admin).serveLogin, change: (*Admin).logIn, form: true, open: true},
	"/cache/logout":              {change: (*Admin).logOut, form: true, open: true},
}

// Serve answers requests for /metrics and for paths below /cache, if the gate
// admits them. private is true for a request on the admin pages' own listener. It returns
// false for other paths. Its answers have no CORS headers.
func (a *Admin) Serve(ctx *fasthttp.RequestCtx, path []byte, private bool) bool {
	if !IsPage(path) {
		return false
	}
	found := pages[string(bytes.TrimSuffix(path, []byte("/")))]
	facts := gate.FactsOf(ctx, a.opts.Trust, private)
	verdict := a.gate.Decide(facts, gate.Page{Read: found.answer != nil, Change: found.change != nil, Form: found.form, Open: found.open})
	ctx.SetUserValue(credentialKey, verdict.By)
	switch {
	case !verdict.Admitted():
		a.refuse(ctx, facts, verdict)
	case ctx.IsPost():
		found.change(a, ctx)
	default:
		found.answer(a, ctx)
	}
	return true
}

// IsPage reports whether a path is, or resembles, the path of an admin page.
func IsPage(path []byte) bool {
	rest, ok := bytes.CutPrefix(path, []byte("/cache"))
	return ok && (len(rest) == 0 || rest[0] == '/') || string(path) == "/metrics"
}

// credentialKey is the user value of a request that holds its gate.Credential.
const credentialKey = "credential"

// refuse answers a request that the gate does not admit.
func (a *Admin) refuse(ctx *fasthttp.RequestCtx, facts *gate.Request, v gate.Verdict) {
	if page := a.gate.Refuse(ctx, facts, v); page != nil {
		reply.Send(ctx, v.Status, page)
		return
	}
	reply.Fail(ctx, v.Status, v.Reason)
}

// serveLogin sends the page that asks for the admin token.
func (a *Admin) serveLogin(ctx *fasthttp.RequestCtx) {
	path, _ := route.SplitTarget(ctx.RequestURI())
	ctx.Response.Header.SetContentType(pageTypes[".html"])
	ctx.Response.Header.Set(fasthttp.HeaderContentSecurityPolicy, gate.LoginPolicy)
	reply.Send(ctx, fasthttp.StatusOK, gate.LoginPage(string(path), ""))
}

// logIn opens a session.
func (a *Admin) logIn(ctx *fasthttp.RequestCtx) {
	facts := gate.FactsOf(ctx, a.opts.Trust, false)
	if v := a.gate.LogIn(ctx, facts, a.opts.Trust.Of(ctx).Proto); !v.Admitted() {
		a.refuse(ctx, facts, v)
		return
	}
	reply.Send(ctx, fasthttp.StatusSeeOther, nil)
}

// logOut ends the session.
func (a *Admin) logOut(ctx *fasthttp.RequestCtx) {
	a.gate.LogOut(ctx, gate.FactsOf(ctx, a.opts.Trust, false), a.opts.Trust.Of(ctx).Proto)
	reply.Send(ctx, fasthttp.StatusSeeOther, nil)
}

// serveMetrics answers Prometheus.
func (a *Admin) serveMetrics(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.SetContentType(prometheus.ContentType)
	reply.Send(ctx, fasthttp.StatusOK, prometheus.Text(a.Stats(), a.opts.Routes.Routes(), a.opts.Metrics, a.started))
}

func (a *Admin) serveStats(ctx *fasthttp.RequestCtx) {
	body.Send(ctx, fasthttp.StatusOK, a.Stats())
}
