package wire

import "github.com/valyala/fasthttp"

// problem is the reason why a request is refused. The connection is closed then, since
// the end of the request is unknown.
type problem struct {
	status int
	detail string
}

func (p *problem) Error() string { return p.detail }

func bad(detail string) *problem { return &problem{fasthttp.StatusBadRequest, detail} }

var (
	errBareLF   = bad("A line of the request does not end with CR and LF")
	errLine     = bad("The request line is not a method, a target and HTTP/1.1")
	errTarget   = bad("The target has a character that may not be in a target, or is not a path")
	errName     = bad("The request has a field whose name is not a token followed by a colon")
	errValue    = bad("The request has a field whose value contains a control character")
	errFolded   = bad("The request has a field on more than one line")
	errHost     = bad("The request must have one field Host with a name or an address")
	errLength   = bad("The field Content-Length is not one number")
	errCoding   = bad("The field Transfer-Encoding is not chunked")
	errFraming  = bad("The request has both Content-Length and Transfer-Encoding")
	errChunk    = bad("The body of the request is not in valid chunks")
	errEnd      = bad("The request ends too early")
	errVersion  = &problem{fasthttp.StatusHTTPVersionNotSupported, "The version of HTTP is not supported"}
	errHeadSize = &problem{fasthttp.StatusRequestHeaderFieldsTooLarge, "The request's header is too large"}
	errBodyRoom = &problem{fasthttp.StatusServiceUnavailable, "The service has too many requests with a body right now. Please try again shortly."}
	errBodySize = &problem{fasthttp.StatusRequestEntityTooLarge, "The request's body is too large"}
	errLate     = &problem{fasthttp.StatusRequestTimeout, "The request took too long to arrive"}
	errExpect   = &problem{fasthttp.StatusExpectationFailed, "The request must not wait for a 100 before it sends its body"}
	errNoRoom   = &problem{fasthttp.StatusServiceUnavailable, "The service has too many connections right now. Please try again shortly."}
)
