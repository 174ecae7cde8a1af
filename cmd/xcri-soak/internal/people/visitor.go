// Package people holds the clients of a soak run: visitors, whose answers are judged, and
// a crowd that does harm.
package people

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/load/client"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/measure"
	"github.com/lewistv/xcri-proxy/cmd/xcri-soak/internal/judge"
)

// Question is a request target with its key.
type Question struct {
	Target, Key string
	Warm        bool // in the warm set
}

// Options configure Visitors. All are required.
type Options struct {
	Base         string // URL of the API's root
	Record       *judge.Record
	Hot, Cold    []Question
	Dir          string // for wrong bodies
	Count        *Counts
	Note         func(format string, args ...any)
	Down, Killed *Windows      // no process listens; a process is killed
	Pause        time.Duration // the mean time between two requests of a visitor
}

// Visitors are ordinary visitors of the proxy. They are safe for concurrent use.
type Visitors struct {
	Options
	// Hits and Others are the latencies of hits and of other answers.
	Hits, Others measure.Histogram
	drops        atomic.Int64 // of all keys so far
	proven       sync.Map     // key → the number of drops when it was answered
}

// NewVisitors returns visitors that make no request yet.
func NewVisitors(o Options) *Visitors { return &Visitors{Options: o} }

// Dropped records that the cache may have dropped any key.
func (v *Visitors) Dropped() { v.drops.Add(1) }

// visitor is an ordinary visitor with a browser's copies.
type visitor struct {
	*Visitors
	rand    *rand.Rand
	address string
	client  http.Client
	copies  map[string]judge.Answer // by target and ETag
}

// accepts are the Accept-Encoding headers of visitors.
var accepts = []string{"gzip, deflate, br, zstd", "gzip, deflate, br, zstd", "gzip", "br", "zstd", "identity"}

// Visit has one visitor request pages until ctx ends.
func (v *Visitors) Visit(ctx context.Context, number int, seed uint64) {
	one := v.newVisitor(number, seed)
	defer one.client.CloseIdleConnections()
	for ctx.Err() == nil {
		questions := v.Hot
		if one.rand.IntN(100) < 40 {
			questions = v.Cold
		}
		one.ask(ctx, questions[one.rand.IntN(len(questions))])
		Sleep(ctx, time.Duration(one.rand.Int64N(int64(2*v.Pause)+1)))
	}
}

func (v *Visitors) newVisitor(number int, seed uint64) *visitor {
	return &visitor{Visitors: v, rand: rand.New(rand.NewPCG(seed, uint64(number))), address: fmt.Sprintf("198.51.100.%d", number+1),
		client: http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableCompression: true}}, copies: map[string]judge.Answer{}}
}

// answer is an answer of the proxy.
type answer struct {
	status        int
	etag, outcome string
	body          []byte
}

// ask requests one target and has the answer judged.
func (v *visitor) ask(ctx context.Context, q Question) {
	etag := ""
	if v.rand.IntN(4) == 0 {
		etag = v.anyCopy(q.Target)
	}
	drops, floor, begun := v.drops.Load(), v.Record.Floor(), time.Now()
	a, err := v.get(ctx, q.Target, accepts[v.rand.IntN(len(accepts))], etag)
	ended := time.Now()
	if ctx.Err() != nil {
		return
	}
	v.Count.Add("requests")
	seen := judge.Seen{Key: q.Key, Warm: q.Warm, Outcome: a.outcome, Floor: floor, Begun: begun, Ended: ended}
	switch {
	case err != nil:
		v.failed(q, begun, cause(err))
		return
	case a.status >= 500 || a.status == http.StatusTooManyRequests:
		v.failed(q, begun, fmt.Sprintf("status %d", a.status))
		return
	case a.status == http.StatusNotModified:
		seen.Answer = v.copies[q.Target+etag]
		v.Count.Add("304")
	default:
		seen.Answer = judge.AnswerOf(a.status, a.body)
		if a.etag != "" && len(v.copies) < 2000 {
			v.copies[q.Target+a.etag] = seen.Answer
		}
	}
	v.Count.Add("outcome: " + a.outcome)
	v.Count.Add("bodies checked")
	if a.outcome == "hit" {
		v.Hits.Record(ended.Sub(begun))
	} else {
		v.Others.Record(ended.Sub(begun))
	}
	v.proven.Store(q.Key, drops)
	if verdict, states := v.Record.Judge(seen); verdict != judge.Right {
		v.Count.Add("verdict: " + verdict.String())
		file := filepath.Join(v.Dir, fmt.Sprintf("%s-%d", verdict, begun.UnixNano()))
		v.Note("%s: %s (%s, status %d, %d bytes in %s), from %s to %s;%s", verdict, q.Key, a.outcome, a.status, len(a.body), file,
			begun.Format("15:04:05.000"), ended.Format("15:04:05.000"), states)
		os.WriteFile(file, a.body, 0o600)
	}
}

// anyCopy returns the ETag of a copy of a target; empty if there is none.
func (v *visitor) anyCopy(target string) string {
	for key := range v.copies {
		if etag, ok := strings.CutPrefix(key, target+`"`); ok {
			return `"` + etag
		}
	}
	return ""
}

// get requests a target and reads the whole answer.
func (v *visitor) get(ctx context.Context, target, accept, etag string) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.Base+target, nil)
	if err != nil {
		return a, err
	}
	req.Header.Set("Accept-Encoding", accept)
	req.Header.Set("X-Forwarded-For", v.address)
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a = answer{status: resp.StatusCode, etag: resp.Header.Get("ETag")}
	_, a.outcome, _ = strings.Cut(resp.Header.Get("Cache-Status"), "detail=")
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err
	}
	a.body, err = client.Body{Coding: resp.Header.Get("Content-Encoding"), Bytes: body}.Plain()
	return a, err
}

// failed counts a request without a usable answer.
func (v *visitor) failed(q Question, begun time.Time, why string) {
	ended := time.Now()
	switch {
	case v.Killed.Overlap(begun, ended):
		v.Count.Add("failed while a process was killed: " + why)
		return
	case strings.HasPrefix(why, "connection ") && v.Down.Overlap(begun, ended): // it waited at a socket that was closed
		v.Count.Add("failed between two processes: " + why)
		return
	}
	drops, proven := v.proven.Load(q.Key)
	if q.Warm && proven && drops == v.drops.Load() {
		v.Count.Add("failed although cached")
		v.Note("FAILED although cached: %s: %s, from %s to %s", q.Key, why, begun.Format("15:04:05.000"), ended.Format("15:04:05.000"))
	}
	v.Count.Add("failed: " + why)
}

// cause names the kind of a failure.
func cause(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return string(bytes.TrimSpace([]byte(err.Error())))
}
