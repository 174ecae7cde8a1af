package verify

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/compare"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
)

// askStore returns the answer that a visitor would get, beside the cache.
func (v *Verifier) askStore(ctx context.Context, s *subject) Answer {
	if s.refusal != nil {
		return Answer{Status: http.StatusUnprocessableEntity, Bytes: len(s.refusal), body: s.refusal}
	}
	begun := time.Now()
	answer, err := v.opts.Store.Run(ctx, s.Query)
	return Answer{
		Status: answer.Status, Bytes: len(answer.Body), Took: time.Since(begun),
		body: answer.Body, generation: answer.Generation, err: err,
	}
}

// askLegacy returns the old API's answer.
func (v *Verifier) askLegacy(ctx context.Context, s *subject) Answer {
	begun := time.Now()
	answer, err := v.opts.Legacy.Fetch(ctx, s.target)
	var refused *legacy.StatusError
	if errors.As(err, &refused) {
		answer.Status = refused.Status
	}
	return Answer{Status: answer.Status, Bytes: len(answer.Body), Took: time.Since(begun), body: answer.Body, err: err}
}

// judge compares the answers of both sources.
func (s *subject) judge(ours, legacy Answer) Comparison {
	c := Comparison{Path: s.path, Key: s.Key, Route: s.Route.Path(), Store: ours, Legacy: legacy}
	switch {
	case ours.err != nil || legacy.err != nil:
		c.Verdict, c.Error = Failed, failures(ours.err, legacy.err)
	case ours.Status != legacy.Status:
		c.Verdict, c.Difference = compare.Different, &Difference{"status", strconv.Itoa(ours.Status), strconv.Itoa(legacy.Status)}
	default:
		result := compare.Compare(ours.body, legacy.body)
		c.Verdict = result.Verdict
		if d := result.Difference; d != nil {
			c.Difference = &Difference{d.Path, d.A, d.B}
		}
	}
	if name := s.expected(ours, legacy, c.Verdict); name != "" {
		c.Verdict, c.Expected = Expected, name
	}
	c.Store.body, c.Legacy.body = nil, nil // so that the comparison does not keep them
	return c
}

// failures names the sources that gave no answer, with the reason.
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
