package wire

import (
	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/wire/strict"
)

// Problems of a connection, in addition to the problems of a request's text.
var (
	errEnd      = strict.Bad("The request ends too early")
	errHeadSize = &strict.Problem{Status: fasthttp.StatusRequestHeaderFieldsTooLarge, Detail: "The request's header is too large"}
	errHeadRoom = &strict.Problem{Status: fasthttp.StatusServiceUnavailable, Detail: "The service has too many requests with a large header right now. Please try again shortly."}
	errBodyRoom = &strict.Problem{Status: fasthttp.StatusServiceUnavailable, Detail: "The service has too many requests with a body right now. Please try again shortly."}
	errLate     = &strict.Problem{Status: fasthttp.StatusRequestTimeout, Detail: "The request took too long to arrive"}
	errExpect   = &strict.Problem{Status: fasthttp.StatusExpectationFailed, Detail: "The request must not wait for a 100 before it sends its body"}
	errNoRoom   = &strict.Problem{Status: fasthttp.StatusServiceUnavailable, Detail: "The service has too many connections right now. Please try again shortly."}
)
