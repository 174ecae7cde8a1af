package load

import "sync"

// Request is one request to be made.
type Request struct {
	Target     string // below the API's root, such as /teams/?gender=M
	Accept     string // Accept-Encoding; empty for none
	Expect     Expect
	Head       bool // HEAD instead of GET
	Revalidate bool // send the ETag of the copy that the browser has, if it has one
}

// Expect is the expected status of an answer.
type Expect uint8

const (
	// Found is 200, or 304 where an ETag was sent.
	Found Expect = iota
	// Perhaps is Found or 404: there may be no such thing.
	Perhaps
	// Absent is 404.
	Absent
	// Anything is any status below 500 but 429.
	Anything
)

// right reports whether a status was expected. conditional says that an ETag was
// sent.
func (e Expect) right(status int, conditional bool) bool {
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

// Visit is a row of requests that one client makes, one after the other.
type Visit struct {
	Requests []Request
	Browser  *Browser
}

// Source gives out visits.
type Source interface {
	// Next returns the next visit, and nil after the last. It is safe for
	// concurrent use.
	Next() *Visit
	// Total returns how many requests there are in all, and zero if there is no
	// end.
	Total() int
}

// Browser remembers the ETags of the targets that it has loaded. It is safe for concurrent
// use. It revalidates always: a day is compressed into a minute, so that
// max-age, a minute too, would hide what returning visitors do.
type Browser struct {
	mu    sync.Mutex
	etags map[string]string
}

// NewBrowser returns a browser that has loaded nothing yet.
func NewBrowser() *Browser { return &Browser{etags: map[string]string{}} }

func (b *Browser) etag(target string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.etags[target]
}

func (b *Browser) remember(target string, etag []byte) {
	if len(etag) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.etags[target] != string(etag) {
		b.etags[target] = string(etag)
	}
}

// Replay gives out requests in their order, each as a visit of its own: any
// client may make the next.
type Replay struct {
	mu       sync.Mutex
	requests []Request
	next     int
	browser  *Browser
}

// NewReplay returns a source of the given requests, which must not be changed
// after that.
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
