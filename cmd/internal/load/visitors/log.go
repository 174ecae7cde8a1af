package visitors

import (
	"io"
	"strings"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
)

// browserAccept is the Accept-Encoding of all current browsers. Access logs do not
// record the header.
const browserAccept = "gzip, deflate, br, zstd"

// Log holds the requests of an access log in their order. It is not safe for concurrent use.
type Log struct {
	Lines     int `json:"lines"`
	Malformed int `json:"malformed"`
	Skipped   int `json:"skipped"` // requests that are not reads, or not for the API
	Taken     int `json:"taken"`

	prefix   string
	limit    int // requests taken; zero means all
	requests []Request
	targets  map[string]string // each target once, so that repeated targets share memory
}

// NewLog returns an empty Log for requests below prefix. It takes the first limit
// requests; zero means no limit.
func NewLog(prefix string, limit int) *Log {
	return &Log{prefix: prefix, limit: limit, targets: map[string]string{}}
}

// ReadFile adds the requests of a file, see accesslog.ReadFile.
func (l *Log) ReadFile(name string, stdin io.Reader) error {
	return accesslog.ReadFile(name, stdin, l.add)
}

// Source returns a source of the requests, or nil if there are none.
func (l *Log) Source() Source {
	if len(l.requests) == 0 {
		return nil
	}
	return NewReplay(l.requests)
}

func (l *Log) add(e accesslog.Entry, ok bool) {
	if l.limit > 0 && l.Taken == l.limit {
		return
	}
	l.Lines++
	target, below := strings.CutPrefix(e.Target, l.prefix)
	switch {
	case !ok:
		l.Malformed++
	case !e.IsRead() || !below || !strings.HasPrefix(target, "/") || len(target) > accesslog.MaxTarget:
		l.Skipped++
	default:
		l.Taken++
		l.requests = append(l.requests, l.request(e, target))
	}
}

// request returns the request of a line. If the logged status was a success, the
// answer must be one too; otherwise any status without a server error is expected.
func (l *Log) request(e accesslog.Entry, target string) Request {
	if l.targets[target] == "" {
		l.targets[target] = target
	}
	r := Request{Target: l.targets[target], Accept: browserAccept, Expect: Anything, Head: e.Method == "HEAD", Revalidate: e.Status == 304}
	if e.Answered() {
		r.Expect = Found
	}
	return r
}
