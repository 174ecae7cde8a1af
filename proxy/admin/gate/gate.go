// Package gate decides who may use the admin pages. It decides from the facts of a
// request alone, and refuses every request that no rule admits.
//
// Three credentials admit: the admin token, a session that was opened with it, and being
// an operator on this machine. An operator needs proof that the request comes neither
// through a proxy nor from a page of another site: see local.go.
package gate

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

// Options configure a Gate. The zero value admits only operators on this machine.
type Options struct {
	// Token is the admin token; empty means that there is none.
	Token string
	// LocalToken demands the token of operators on this machine, too.
	LocalToken bool
	// Separate says that the admin pages have a listener of their own: on the public
	// listener they do not exist.
	Separate bool
	// Now returns the time; nil means time.Now.
	Now func() time.Time
	// Logger takes reports of wrong tokens; nil discards them.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Gate decides about requests for admin pages. It is safe for concurrent use.
type Gate struct {
	opts     Options
	token    digest
	limiter  limiter
	sessions sessions
	refused  [causes]atomic.Int64
}

// New returns a Gate without sessions.
func New(opts Options) *Gate {
	g := &Gate{opts: opts.withDefaults(), token: digestOf(opts.Token)}
	g.limiter.init(g.opts)
	g.sessions.now = g.opts.Now
	return g
}

// Request holds the facts of a request that the gate's decision depends on.
type Request struct {
	// Peer is the other end of the connection; the zero Addr for a Unix socket.
	Peer netip.Addr
	// Account returns the user ID of the process at the other end of a connection
	// within this machine.
	Account func() (uid int, err error)
	// Visitor is the client as trusted proxies report it. Wrong tokens are counted for
	// this address.
	Visitor netip.Addr
	// Private is set if the request arrived on the admin pages' own listener.
	Private bool
	HTTP11  bool
	Method  string
	// Hosts holds the host of the Host line and the host of an absolute target.
	Hosts []string
	// Fields holds the header lines in their order; Host may be missing.
	Fields []Field
}

// Field is one header line.
type Field struct{ Name, Value string }

// Page describes the requests that a path accepts. The zero Page does not exist.
type Page struct {
	Read, Change bool // with GET and HEAD; with POST
	// Form is set if POST takes an HTML form instead of JSON.
	Form bool
	// Open is set if the page needs no credential, because a credential is obtained
	// there.
	Open bool
}

// methods is the Allow header of a page.
func (p Page) methods() string {
	switch {
	case !p.Read:
		return "POST"
	case !p.Change:
		return "GET, HEAD"
	}
	return "GET, HEAD, POST"
}

// Credential is the reason for admitting a request.
type Credential uint8

// The credentials. ByNone admits to open pages only.
const (
	ByNone Credential = iota
	ByLocal
	ByToken
	BySession
)

// Verdict is a decision. Status 200 admits the request.
type Verdict struct {
	Status int
	By     Credential    // if admitted
	Cause  Cause         // if refused
	Reason string        // if refused: a sentence without its full stop
	Allow  string        // of a 405
	Wait   time.Duration // of a 429 or 503
}

// Admitted reports whether the request may go on.
func (v Verdict) Admitted() bool { return v.Status == http.StatusOK }

// Cause is the reason for refusing a request, for counters.
type Cause uint8

// The causes.
const (
	CauseNone Cause = iota
	CauseElsewhere
	CauseNotLocal
	CauseToken
	CauseLimited
	CauseForeign
	CauseMissing
	CauseMethod
	CauseType
	CauseBusy
	causes
)

// String returns the label of a cause.
func (c Cause) String() string {
	return [causes]string{"none", "other_listener", "not_local", "wrong_token", "limited", "other_site", "not_found", "method", "content_type", "busy"}[c]
}

// Refused returns the number of refused requests, by the label of their cause.
func (g *Gate) Refused() map[string]int64 {
	counts := map[string]int64{}
	for c := CauseElsewhere; c < causes; c++ {
		counts[c.String()] = g.refused[c].Load()
	}
	return counts
}

func admit(by Credential) Verdict { return Verdict{Status: http.StatusOK, By: by} }

func refuse(status int, cause Cause, reason string) Verdict {
	return Verdict{Status: status, Cause: cause, Reason: reason}
}

// Decide admits a request to a page, or refuses it with a status and a reason.
func (g *Gate) Decide(r *Request, page Page) Verdict {
	v := g.decide(r, page)
	g.refused[v.Cause].Add(1)
	return v
}

// decide checks the credential first, so that a refusal reveals nothing about the
// page.
func (g *Gate) decide(r *Request, page Page) Verdict {
	if g.opts.Separate && !r.Private {
		return refuse(http.StatusNotFound, CauseElsewhere, "Not Found")
	}
	v := admit(ByNone)
	switch {
	case page.Open && g.opts.Token == "":
		return refuse(http.StatusNotFound, CauseMissing, "There is no admin token to log in with")
	case !page.Open:
		if v = g.identify(r); !v.Admitted() {
			return v
		}
	}
	if refusal := g.fits(r, page); !refusal.Admitted() {
		return refusal
	}
	return v
}

// fits checks the method and the body's type against the page.
func (g *Gate) fits(r *Request, page Page) Verdict {
	post := r.Method == http.MethodPost
	switch {
	case !page.Read && !page.Change:
		return refuse(http.StatusNotFound, CauseMissing, "Not Found")
	case post && !page.Change, !post && (!r.reads() || !page.Read):
		v := refuse(http.StatusMethodNotAllowed, CauseMethod, "Method Not Allowed")
		v.Allow = page.methods()
		return v
	case post && r.crossSite(): // reads change nothing, and no CORS header lets a page see them
		return refuse(http.StatusForbidden, CauseForeign, "A page of another site may not ask for this")
	case post && r.contentType() != page.contentType():
		return refuse(http.StatusUnsupportedMediaType, CauseType, "The request needs Content-Type: "+page.contentType())
	}
	return admit(ByNone)
}

func (p Page) contentType() string {
	if p.Form {
		return "application/x-www-form-urlencoded"
	}
	return "application/json"
}

// busyPause is the pause after which a client may try again that was refused for lack of time.
const busyPause = time.Second

// onlyHere begins the reason of a request without a credential.
const onlyHere = "Only this machine, or a request with the admin token, may see this page: "

// identify finds the credential of a request.
func (g *Gate) identify(r *Request) Verdict {
	authorization := r.lines("authorization")
	token, bearer := bearerOf(authorization)
	switch {
	case bearer:
		return g.checkToken(r.Visitor, token)
	case g.sessions.open(r.cookies(sessionCookie)):
		return admit(BySession)
	case len(authorization) > 0:
		return refuse(http.StatusForbidden, CauseToken, onlyHere+"the Authorization header does not hold one bearer token")
	}
	why, busy := g.notLocal(r)
	switch {
	case busy != nil:
		v := refuse(http.StatusServiceUnavailable, CauseBusy, "Too many requests of this machine for admin pages run at the same time. Try again")
		v.Wait = busyPause
		return v
	case why == "":
		return admit(ByLocal)
	}
	v := refuse(http.StatusForbidden, CauseNotLocal, onlyHere+why)
	if r.reads() && g.opts.Token != "" {
		v.Status = http.StatusUnauthorized // the answer can offer to log in
	}
	return v
}

// bearerOf returns the token of an Authorization header that is a single line
// with the scheme Bearer.
func bearerOf(lines []string) (token string, ok bool) {
	if len(lines) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(lines[0], " ")
	return token, ok && strings.EqualFold(scheme, "Bearer")
}

// reads reports whether the method changes nothing.
func (r *Request) reads() bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// lines returns the values of all lines with a name, which is in lower case.
func (r *Request) lines(name string) (values []string) {
	for _, f := range r.Fields {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// cookies returns the values of all cookies with a name.
func (r *Request) cookies(name string) (values []string) {
	for _, line := range r.lines("cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			if n, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && n == name {
				values = append(values, value)
			}
		}
	}
	return values
}

// contentType returns the media type of the body; empty if that is not clear.
func (r *Request) contentType() string {
	lines := r.lines("content-type")
	if len(lines) != 1 {
		return ""
	}
	media, _, _ := strings.Cut(lines[0], ";")
	return strings.ToLower(strings.TrimSpace(media))
}
