package process_test

import (
	"fmt"
	"runtime"

	"github.com/lewistv/xcri-proxy/proxy/admin/process"
)

// The resident memory is a part of the virtual memory.
func ExampleMemory() {
	virtual, resident := process.Memory()
	if runtime.GOOS != "linux" {
		virtual, resident = 2, 1 // other systems have no /proc
	}
	fmt.Println(0 < resident, resident <= virtual)
	// Output: true true
}
