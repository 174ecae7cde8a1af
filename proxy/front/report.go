package front

import (
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// Report returns the figures of the caches for operators.
func (p *Purger) Report() []api.Front {
	all := []api.Front{}
	for _, s := range p.Stats() {
		all = append(all, api.Front{
			Name: s.Name, Pending: s.Pending, PendingSince: orNull(s.Since), Repeats: s.Repeats, Requests: s.Requests, Tags: s.Tags, Failures: s.Failures,
			Widened: s.Widened, SentAt: orNull(s.SentAt), Error: s.Error, FailedAt: orNull(s.FailedAt),
		})
	}
	return all
}

// orNull makes the zero time null in JSON.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
