package proxy

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/compare"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// verifyTries is how often both sources are asked while imports come between.
const verifyTries = 3

// Verdicts beside those of two answers.
const (
	verdictFailed  compare.Verdict = "failed"  // a source gave no answer
	verdictSkipped compare.Verdict = "skipped" // not a question to compare
)

// comparison is the comparison of both sources' answers to one request.
type comparison struct {
	path       string
	key        string // empty for a bad parameter
	route      string
	verdict    compare.Verdict
	difference *difference // nil if there is none to show
	store      told
	legacy     told
	err        string // why it failed or was skipped
}

// difference is the first place where the answers differ; the path is status, or
// one into the JSON.
type difference struct{ path, store, legacy string }

// told is one source's answer; the status is zero for none.
type told struct {
	status int
	bytes  int
	took   time.Duration

	body       []byte
	generation string // of the store's
	err        error
}

// toAPI returns the comparison as /cache/verify answers it.
func (c comparison) toAPI() api.Comparison {
	out := api.Comparison{Path: c.path, Key: c.key, Route: c.route, Verdict: string(c.verdict), Store: c.store.toAPI(), Legacy: c.legacy.toAPI(), Error: c.err}
	if d := c.difference; d != nil {
		out.Difference = &api.Difference{Path: d.path, Store: d.store, Legacy: d.legacy}
	}
	return out
}

func (t told) toAPI() api.Answered {
	return api.Answered{Status: t.status, Bytes: t.bytes, MS: milliseconds(int64(t.took))}
}

// verification is a request that both sources can be asked.
type verification struct {
	path    string // as it was given
	key     string
	route   *route.Route
	target  string // for the old API
	query   store.Query
	refusal []byte // the body for a bad parameter, which no source is needed for
}

var (
	errNoPath   = route.ErrNoRoute
	errHasClock = errors.New("not compared: the answer tells the time")
)

// verification makes one of a target, as a visitor sends it. The error says why
// there is nothing to compare.
func (p *Proxy) verification(target string) (*verification, error) {
	at := p.router.Locate([]byte(target))
	if at.Site {
		return nil, errNoPath
	}
	if at.Root() {
		return nil, errHasClock
	}
	m := p.router.Match(at.Path, at.Query)
	if m == nil {
		return nil, errNoPath
	}
	defer m.Release()
	if m.Route.Path() == route.HealthPath {
		return nil, errHasClock
	}
	v := &verification{path: target, route: m.Route, target: m.LegacyTarget()}
	key := m.Key()
	if key == nil {
		v.refusal = m.Refusal()
		return v, nil
	}
	q, err := p.router.Question(string(key))
	v.key, v.query = q.Key, q.Query
	return v, err
}

// askStore gets the answer that a visitor would get, beside the cache.
func (p *Proxy) askStore(ctx context.Context, v *verification) told {
	if v.refusal != nil {
		return told{status: fasthttp.StatusUnprocessableEntity, bytes: len(v.refusal), body: v.refusal}
	}
	begun := time.Now()
	answer, err := p.opts.Origin.Run(ctx, v.query)
	return told{
		status: answer.Status, bytes: len(answer.Body), took: time.Since(begun),
		body: answer.Body, generation: answer.Generation, err: err,
	}
}

// askLegacy gets the old API's answer.
func (p *Proxy) askLegacy(ctx context.Context, v *verification) told {
	begun := time.Now()
	answer, err := p.opts.Legacy.Fetch(ctx, v.target)
	return told{
		status: answer.Status, bytes: len(answer.Body), took: time.Since(begun),
		body: answer.Body, err: err,
	}
}

// judge compares what the sources say.
func (v *verification) judge(ours, legacy told) comparison {
	c := comparison{path: v.path, key: v.key, route: v.route.Path(), store: ours, legacy: legacy}
	switch {
	case ours.err != nil || legacy.err != nil:
		c.verdict, c.err = verdictFailed, failures(ours.err, legacy.err)
	case ours.status != legacy.status:
		c.verdict, c.difference = compare.Different, &difference{"status", strconv.Itoa(ours.status), strconv.Itoa(legacy.status)}
	default:
		result := compare.Compare(ours.body, legacy.body)
		c.verdict = result.Verdict
		if d := result.Difference; d != nil {
			c.difference = &difference{d.Path, d.A, d.B}
		}
	}
	c.store.body, c.legacy.body = nil, nil // or they would live as long as it
	return c
}

// failures says which source gave no answer, and why.
func failures(ours, legacy error) string {
	var words []string
	if ours != nil {
		words = append(words, "store: "+ours.Error())
	}
	if legacy != nil {
		words = append(words, "legacy: "+legacy.Error())
	}
	return strings.Join(words, "; ")
}

// compareSources asks the store, then the old API. A difference is believed only
// if it is there again, with no import between the two times.
func (p *Proxy) compareSources(ctx context.Context, v *verification) (c comparison) {
	generation := ""
	for try := 1; try <= verifyTries; try++ {
		c = v.judge(p.askStore(ctx, v), p.askLegacy(ctx, v))
		settled := try > 1 && c.store.generation == generation
		if settled || c.verdict != compare.Different {
			break
		}
		generation = c.store.generation
	}
	return c
}
