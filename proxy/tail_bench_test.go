package proxy

import (
	"io"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/tail"
)

// BenchmarkTail measures a hit, from its packet to its answer, before an operator listens
// at /cache/tail, while a listener reads each request, and after the listener has left.
// Without a listener a hit costs the same before and after, and allocates nothing: the
// benchmark fails if the handler, which makes the reports, answers then.
func BenchmarkTail(b *testing.B) {
	p := benchProxy(b, 900)
	request := requestText(siteTarget, browserHeaders)
	for range 3 {
		p.handle(requestCtx("GET", siteTarget, browserHeaders...))
	}
	came := counting(p)
	ask := func(b *testing.B) {
		b.ReportAllocs()
		before := came.Load()
		p.server.ServeConn(&repeating{request: request, left: b.N})
		b.ReportMetric(float64(came.Load()-before)/float64(b.N), "reports/op")
	}
	quiet := func(b *testing.B) {
		before := came.Load()
		if ask(b); came.Load() > before {
			b.Fatal("requests are reported without a listener")
		}
	}
	b.Run("before a listener", quiet)
	b.Run("with a listener", func(b *testing.B) {
		l, err := p.tail.Listen(tail.Filter{})
		if err != nil {
			b.Fatal(err)
		}
		read := make(chan struct{})
		go func() { defer close(read); io.Copy(io.Discard, l) }()
		ask(b)
		b.StopTimer()
		p.tail.Close()
		<-read
		p.tail = tail.New(p.traces.Watch)
	})
	b.Run("after a listener", quiet)
}
