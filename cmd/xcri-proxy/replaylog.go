package main

import (
	"io"
	"strings"

	loads "github.com/lewistv/xcri-proxy/cmd/internal/load"
)

// browsers is the Accept-Encoding of all current browsers: a log does not tell
// what its clients sent.
const browsers = "gzip, deflate, br, zstd"

// replayLog is what an access log says was asked for, in its order.
type replayLog struct {
	Lines     int `json:"lines"`
	Malformed int `json:"malformed"`
	Skipped   int `json:"skipped"` // no reads, or not for the API
	Taken     int `json:"taken"`

	prefix   string
	most     int // of the requests taken; zero for all
	requests []loads.Request
	targets  map[string]string // each once, however often it is asked for
}

func newReplayLog(base string, most int) *replayLog {
	return &replayLog{prefix: base + "/api", most: most, targets: map[string]string{}}
}

// readFile adds what is in a file, see readLogFile.
func (l *replayLog) readFile(name string, stdin io.Reader) error {
	return readLogFile(name, stdin, l.add)
}

func (l *replayLog) add(e logEntry, ok bool) {
	if l.most > 0 && l.Taken == l.most {
		return
	}
	l.Lines++
	target, below := strings.CutPrefix(e.target, l.prefix)
	switch {
	case !ok:
		l.Malformed++
	case e.method != "GET" && e.method != "HEAD" || !below || !strings.HasPrefix(target, "/") || len(target) > maxTarget:
		l.Skipped++
	default:
		l.Taken++
		l.requests = append(l.requests, l.request(e, target))
	}
}

// request returns the request that a line tells of. What was an answer must be
// one again; what was not may be anything but an error of the server.
func (l *replayLog) request(e logEntry, target string) loads.Request {
	if l.targets[target] == "" {
		l.targets[target] = target
	}
	r := loads.Request{Target: l.targets[target], Accept: browsers, Expect: loads.Anything, Head: e.method == "HEAD", Revalidate: e.status == 304}
	if e.answered() {
		r.Expect = loads.Found
	}
	return r
}
