// Package visitors generates the requests of the site's visitors, or of an access log.
package visitors

import "sync"

// Request is a request to send and the expected answer.
type Request struct {
	Target     string // below the API's root, such as /teams/?gender=M
	Accept     string // Accept-Encoding; empty for none
	Expect     Expect
	Head       bool // HEAD instead of GET
	Revalidate bool // send the ETag of the browser's copy, if any
}

// Expect is the expected status of an answer.
type Expect uint8

const (
	// Found is 200, or 304 where an ETag was sent.
	Found Expect = iota
	// Perhaps is Found or 404: the resource may not exist.
	Perhaps
	// Absent is 404.
	Absent
	// Anything is any status below 500 except 429.
	Anything
)

// Right reports whether a status was expected. conditional means that an ETag was
// sent.
func (e Expect) Right(status int, conditional bool) bool {
	found := status == 200 || status == 304 && conditional
	switch e {
	case Found:
		return found
	case Perhaps:
		return found || status == 404
	case Absent:
		return status == 404
	}
	return status < 500 && status != 429 && (status != 304 || conditional)
}

// Visit is a sequence of requests of one client.
type Visit struct {
	Requests []Request
	Browser  *Browser
}

// Source generates visits.
type Source interface {
	// Next returns the next visit; nil means that the source is exhausted. It is
	// safe for concurrent use.
	Next() *Visit
	// Total returns the number of requests of all visits; zero means no limit.
	Total() int
}

// Browser stores the ETags of the targets that it has loaded. It is safe for
// concurrent use. It always revalidates: a run compresses a day into a minute, and
// max-age, which is a minute too, would suppress the revalidations of returning
// visitors.
type Browser struct {
	mu    sync.Mutex
	etags map[string]string
}

// NewBrowser returns a Browser without copies.
func NewBrowser() *Browser { return &Browser{etags: map[string]string{}} }

// ETag returns the ETag of the browser's copy of a target; empty means no copy.
func (b *Browser) ETag(target string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.etags[target]
}

// Remember stores the ETag of a target, unless it is empty.
func (b *Browser) Remember(target string, etag []byte) {
	if len(etag) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.etags[target] != string(etag) {
		b.etags[target] = string(etag)
	}
}

// Replay is a Source of given requests in order. Each request is a visit of its own,
// so that any client may send the next request.
type Replay struct {
	mu       sync.Mutex
	requests []Request
	next     int
	browser  *Browser
}

// NewReplay returns a source of the given requests, which must not be changed
// afterwards.
func NewReplay(requests []Request) *Replay {
	return &Replay{requests: requests, browser: NewBrowser()}
}

// Next returns the next request.
func (r *Replay) Next() *Visit {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == len(r.requests) {
		return nil
	}
	r.next++
	return &Visit{r.requests[r.next-1 : r.next], r.browser}
}

// Total returns the number of requests.
func (r *Replay) Total() int { return len(r.requests) }
