// Package reply writes the parts that answers have in common: header fields, answers
// that no cache may store, and errors in the shape of the API's.
package reply

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// JSON is the content type of the API's answers.
const JSON = "application/json"

// Send answers with a body that no cache may store.
func Send(ctx *fasthttp.RequestCtx, status int, body []byte) {
	ctx.Response.SetStatusCode(status)
	ctx.Response.Header.SetCanonical(HeaderCacheControl, []byte("no-store"))
	ctx.Response.SetBodyRaw(body)
}

// Fail answers with an error in the shape of the API's.
func Fail(ctx *fasthttp.RequestCtx, status int, detail string) { Send(ctx, status, Error(detail)) }

// Error returns the body of an error.
func Error(detail string) []byte {
	return append(jsontext.AppendString([]byte(`{"detail":`), detail), '}')
}

// ErrorOf returns the body of an error with the ID of the request that failed.
func ErrorOf(detail, id string) []byte {
	body := jsontext.AppendString([]byte(`{"detail":`), detail)
	return append(jsontext.AppendString(append(body, `,"request_id":`...), id), '}')
}

// RetryAfter sets how long a client should wait before its next request, in whole
// seconds.
func RetryAfter(ctx *fasthttp.RequestCtx, wait time.Duration) {
	ctx.Response.Header.Set("Retry-After", strconv.FormatInt(int64(wait/time.Second), 10))
}

// Allowed are the methods of the read API, of the probes and of the site.
const Allowed = "GET, HEAD, OPTIONS"

// Allow answers an OPTIONS request that is not a preflight.
func Allow(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderAllow, Allowed)
	ctx.Response.Header.SetContentType("")
	Send(ctx, fasthttp.StatusNoContent, nil)
}
