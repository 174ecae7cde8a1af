package strict

import "github.com/valyala/fasthttp"

// Problem is the reason for refusing a request. After the answer the connection is closed,
// since the end of the request is unknown.
type Problem struct {
	Status int // of the answer
	Detail string
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// Bad returns the problem of a request that breaks the rules of HTTP.
func Bad(detail string) *Problem { return &Problem{fasthttp.StatusBadRequest, detail} }

var (
	errBareLF      = Bad("A line of the request does not end with CR and LF")
	errLine        = Bad("The request line is not a method, a target and HTTP/1.1")
	errTarget      = Bad("The target has a character that may not be in a target, or is not a path")
	errNetworkPath = Bad("The target begins with two slashes, and could be read as a host and a path")
	errName        = Bad("The request has a field whose name is not a token followed by a colon")
	errValue       = Bad("The request has a field whose value contains a control character")
	errFolded      = Bad("The request has a field on more than one line")
	errHost        = Bad("The request must have one field Host with a name or an address")
	errLength      = Bad("The field Content-Length is not one number")
	errCoding      = Bad("The field Transfer-Encoding is not chunked")
	errFraming     = Bad("The request has both Content-Length and Transfer-Encoding")
	errChunk       = Bad("The body of the request is not in valid chunks")
	errVersion     = &Problem{fasthttp.StatusHTTPVersionNotSupported, "The version of HTTP is not supported"}
	errBodySize    = &Problem{fasthttp.StatusRequestEntityTooLarge, "The request's body is too large"}
)
