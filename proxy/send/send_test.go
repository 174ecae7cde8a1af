package send

import (
	"bytes"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/budget"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
)

// TestInflatedBodiesShareABudget: a body that is inflated while it is sent takes memory until
// its client has read it or has left. Over the budget the answer is 503, which no cache may
// store; a compressed form of the same body, and its head, need no memory.
func TestInflatedBodiesShareABudget(t *testing.T) {
	text := append([]byte(`{"text":"`), bytes.Repeat([]byte("0123456789"), 10_000)...)
	text = append(text, `"}`...)
	variants := content.Variants(text)
	memory := budget.New(4 * inflating) // one quarter is for small requests
	s := New(metrics.New(0), memory)
	ask := func(method, coding string) *fasthttp.RequestCtx {
		ctx := &fasthttp.RequestCtx{}
		ctx.Request.Header.SetMethod(method)
		if coding != "" {
			ctx.Request.Header.Set("Accept-Encoding", coding)
		}
		if v := s.Select(ctx, variants); v == nil || !s.Variant(ctx, v, variants, len(text)) {
			t.Fatal("not sent")
		}
		return ctx
	}
	var open []*fasthttp.RequestCtx
	for range 3 {
		open = append(open, ask("GET", ""))
	}
	if used := memory.Stats().Used; used != 3*inflating {
		t.Errorf("%d bytes are used", used)
	}
	refused := ask("GET", "")
	h := &refused.Response.Header
	if refused.Response.StatusCode() != 503 || len(h.Peek("Retry-After")) == 0 || string(h.Peek("Cache-Control")) != "no-store" || h.Peek("Etag") != nil ||
		string(refused.Response.Body()) != `{"detail":"`+manyPlain+`"}` {
		t.Errorf("one body too many: %s", &refused.Response)
	}
	if head, packed := ask("HEAD", ""), ask("GET", "gzip"); head.Response.StatusCode() != 200 || packed.Response.StatusCode() != 200 {
		t.Errorf("HEAD: %d, with gzip: %d", head.Response.StatusCode(), packed.Response.StatusCode())
	}
	if err := open[0].Response.CloseBodyStream(); err != nil { // the client has left
		t.Error(err)
	}
	for _, ctx := range append(open[1:], ask("GET", "")) {
		if body := ctx.Response.Body(); !bytes.Equal(body, text) {
			t.Errorf("%d bytes, want %d", len(body), len(text))
		}
	}
	if used := memory.Stats().Used; used != 0 {
		t.Errorf("%d bytes are left", used)
	}
	if n := s.metrics.Inflated.Load(); n != 5 { // four bodies and a head
		t.Errorf("%d counted", n)
	}
}
