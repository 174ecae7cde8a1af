package content_test

import (
	"bytes"
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/content"
)

// A large body is only kept compressed; a client that accepts no coding gets it
// decompressed.
func ExampleNegotiator_Select() {
	variants := content.Variants(bytes.Repeat([]byte(`{"team_rank":1},`), 1000))
	for _, accept := range []string{"gzip, deflate, br, zstd", "gzip", ""} {
		v, _ := content.NewNegotiator().Select(variants, []byte(accept), nil)
		fmt.Printf("%q: %q, kept: %t\n", accept, v.Coding, v.HasBody())
	}
	// A browser that has the body gets no other.
	v, tag := content.NewNegotiator().Select(variants, []byte("gzip"), variants[content.Gzip].ETag)
	fmt.Println(v.Coding, bytes.Equal(tag, variants[content.Gzip].ETag))
	// Output:
	// "gzip, deflate, br, zstd": "br", kept: true
	// "gzip": "gzip", kept: true
	// "": "", kept: false
	// gzip true
}
