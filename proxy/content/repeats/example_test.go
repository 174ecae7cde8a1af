package repeats_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/andybalholm/brotli/flate"
	"github.com/andybalholm/brotli/matchfinder"

	"github.com/lewistv/xcri-proxy/proxy/content/repeats"
)

// A list in gzip.
func ExampleFinder() {
	rows := bytes.Repeat([]byte(`{"team_name":"Elm Institute","gender_code":"M"},`), 1000)
	var body bytes.Buffer
	w := &matchfinder.Writer{Dest: &body, MatchFinder: repeats.New(), Encoder: flate.NewGZIPEncoder(), BlockSize: 64 << 10}
	w.Write(rows)
	w.Close()
	fmt.Println("a hundredth of its size:", body.Len() < len(rows)/100)
	z, err := gzip.NewReader(&body)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := io.ReadAll(z)
	fmt.Println(bytes.Equal(text, rows), err)
	// Output:
	// a hundredth of its size: true
	// true <nil>
}
