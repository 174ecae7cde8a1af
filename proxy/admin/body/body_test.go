package body

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// TestRead: an empty body changes nothing, and any body but one JSON object of the form is
// answered with its fault.
func TestRead(t *testing.T) {
	for text, fault := range map[string]string{
		"": "", " \n": "", `{"n":7}`: "", `{"n":7} `: "", `{"m":7}`: "unknown field", `{"n":7}{}`: "more after", `{"n":7}]`: "more after", "[": "EOF", `"x"`: "cannot unmarshal",
	} {
		ctx, v := &fasthttp.RequestCtx{}, struct{ N int }{1}
		ctx.Request.SetBodyString(text)
		ok := Read(ctx, &v)
		want := map[bool]int{true: 7, false: 1}[strings.Contains(text, `"n":7`)]
		if ok != (fault == "") || ok && v.N != want {
			t.Errorf("%q: %v, %+v", text, ok, v)
		}
		if got := string(ctx.Response.Body()); !strings.Contains(got, fault) || !ok && ctx.Response.StatusCode() != 400 {
			t.Errorf("%q: %d %s, want %q", text, ctx.Response.StatusCode(), got, fault)
		}
	}
}

// TestSend: the answer is for people: indented, and an & stays an &.
func TestSend(t *testing.T) {
	ctx := &fasthttp.RequestCtx{}
	Send(ctx, 202, map[string]string{"key": "/teams/?a=1&b=2"})
	if got := string(ctx.Response.Body()); got != "{\n  \"key\": \"/teams/?a=1&b=2\"\n}\n" || ctx.Response.StatusCode() != 202 {
		t.Errorf("%d %q", ctx.Response.StatusCode(), got)
	}
}
