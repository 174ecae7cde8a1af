package proxy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/compare"
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
	route   *route
	target  string // for the old API
	query   store.Query
	refusal []byte // the body for a bad parameter, which no source is needed for
}

var (
	errNoPath   = errors.New("not a path of the API")
	errHasClock = errors.New("not compared: the answer tells the time")
)

// verification makes one of a target, as a visitor sends it. The error says why
// there is nothing to compare.
func (p *Proxy) verification(target string) (*verification, error) {
	in := &input{}
	in.begin(len(target))
	at := p.base.locate([]byte(target))
	r := p.router.match(at.path, in)
	switch {
	case at.site:
		return nil, errNoPath
	case len(at.path) == 0 || string(at.path) == "/" || r != nil && r.endpoint.Path == healthKey:
		return nil, errHasClock
	case r == nil:
		return nil, errNoPath
	}
	v := &verification{path: target, route: r, target: legacyTarget(r, in, at.query)}
	in.parse(r, at.query)
	if !in.canonical(r) {
		v.refusal = appendProblems(nil, in.errors)
		return v, nil
	}
	v.key = string(in.key)
	var err error
	_, v.query, err = p.router.question(v.key)
	return v, err
}

// legacyTarget writes a request for the old API: the route's path, with its
// final slash or without, so that no redirect comes between, and the query as it
// was given. What may not stand in a target is percent-encoded.
func legacyTarget(r *route, in *input, query []byte) string {
	var target []byte
	for i, part := range r.keyParts {
		target = append(target, part...)
		if i < len(r.keyParts)-1 {
			target = appendEscaped(target, in.raw[i])
		}
	}
	if len(query) == 0 {
		return string(target)
	}
	target = append(target, '?')
	for _, c := range query {
		if c <= ' ' || c >= 0x7f || c == '#' {
			target = fmt.Appendf(target, "%%%02X", c)
		} else {
			target = append(target, c)
		}
	}
	return string(target)
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
	c := comparison{path: v.path, key: v.key, route: v.route.endpoint.Path, store: ours, legacy: legacy}
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
