package strict_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/wire/strict"
)

// Two recipients could read this request differently: one would take the length, the
// other the chunks.
func Example() {
	text := []byte("GET /teams/ HTTP/1.1\r\nHost: example.org\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")
	size, err := strict.End(text, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	var head strict.Head
	if problem := head.Parse(text[:size]); problem != nil {
		fmt.Println(problem.Status, problem.Detail)
	}
	// Output: 400 The request has both Content-Length and Transfer-Encoding
}
