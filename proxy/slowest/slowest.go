// Package slowest keeps the slowest requests of the last day.
package slowest

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const (
	// Kept is the number of requests that a List returns.
	Kept = 50
	// day is the age at which a request leaves a List.
	day = 24 * time.Hour
	// An hour's requests leave together, so that a List is bounded: it has the hours of a
	// day and the present hour.
	hours = int64(day/time.Hour) + 1
	// maxTarget and maxAgent limit the texts of a kept request, in bytes.
	maxTarget, maxAgent = 512, 128
)

// List keeps the slowest requests of each hour. Its zero value is ready for use. It is
// safe for concurrent use.
type List struct {
	// full describes the last hour that has Kept requests: a faster request in this hour
	// needs no lock.
	full atomic.Pointer[mark]

	mu      sync.Mutex
	began   time.Time // when the first request was added, from which hours count
	buckets [hours]bucket
}

// mark is the time of the fastest request that is kept of an hour.
type mark struct {
	hour   int64
	tookMS float64
}

// bucket holds the slowest requests of an hour, the slowest first.
type bucket struct {
	hour     int64
	requests []*api.Request
}

// Add adds a request of this moment if it is among the slowest of its hour. It does not
// keep r.
func (l *List) Add(r *api.Request) {
	if m := l.full.Load(); m != nil && r.TookMS <= m.tookMS && time.Since(l.began) < time.Duration(m.hour+1)*time.Hour {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began.IsZero() {
		l.began = time.Now()
	}
	hour := int64(time.Since(l.began) / time.Hour)
	b := &l.buckets[hour%hours]
	if b.hour != hour {
		*b = bucket{hour: hour}
	}
	at, _ := slices.BinarySearchFunc(b.requests, r, func(a, b *api.Request) int { return cmp.Or(cmp.Compare(b.TookMS, a.TookMS), -1) })
	if at >= Kept {
		return
	}
	b.requests = slices.Insert(b.requests, at, shortened(r))
	if len(b.requests) < Kept {
		return
	}
	b.requests = b.requests[:Kept:Kept]
	l.full.Store(&mark{hour, b.requests[Kept-1].TookMS})
}

// Slowest returns the slowest requests of the last day, the slowest first.
// A nil List has none.
func (l *List) Slowest() []api.Request {
	if l == nil {
		return []api.Request{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all := []api.Request{}
	for i := range l.buckets {
		for _, r := range l.buckets[i].requests {
			if time.Since(r.At) <= day {
				all = append(all, *r)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b api.Request) int { return cmp.Or(cmp.Compare(b.TookMS, a.TookMS), a.At.Compare(b.At)) })
	return all[:min(Kept, len(all))]
}

// shortened returns a copy of a request with texts of limited length.
func shortened(r *api.Request) *api.Request {
	kept := *r
	kept.Target, kept.Key, kept.Agent, kept.Referer = cut(r.Target, maxTarget), cut(r.Key, maxTarget), cut(r.Agent, maxAgent), ""
	return &kept
}

// cut returns the first bytes of a text, so that the rest can be freed.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return string([]byte(text[:most]))
}
