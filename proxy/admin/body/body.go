// Package body reads and writes the JSON bodies of the pages below /cache.
package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/reply"
)

// Read reads the request's body, one JSON object, into v; an empty body changes nothing. It
// answers the request and returns false if the body is not JSON of that form.
func Read(ctx *fasthttp.RequestCtx, v any) bool {
	text := bytes.TrimSpace(ctx.PostBody())
	if len(text) == 0 {
		return true
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if _, more := dec.Token(); err == nil && more != io.EOF {
		err = errors.New("there is more after the JSON object")
	}
	if err != nil {
		reply.Fail(ctx, fasthttp.StatusBadRequest, "The body is not the expected JSON object: "+err.Error())
	}
	return err == nil
}

// Send answers with v, indented for people.
func Send(ctx *fasthttp.RequestCtx, status int, v any) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // an & in a key stays an &
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic(err) // plain numbers and strings
	}
	reply.Send(ctx, status, text.Bytes())
}
