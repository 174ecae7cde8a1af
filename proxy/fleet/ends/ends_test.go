package ends

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestClaimsEndBesideAStop: claims may end while the fleet stops and afterwards. Close waits
// for each end that was begun.
func TestClaimsEndBesideAStop(t *testing.T) {
	for range 200 {
		var e Ends
		var begun, ended atomic.Int64
		var claims sync.WaitGroup
		for range 4 {
			claims.Go(func() {
				for range 4 {
					e.Go(func() { begun.Add(1); ended.Add(1) })
				}
			})
		}
		e.Close()
		if b, n := begun.Load(), ended.Load(); b != n {
			t.Fatalf("%d ends begun, %d ended", b, n)
		}
		after := begun.Load()
		claims.Wait()
		e.Go(func() { begun.Add(1) })
		e.running.Wait()
		if begun.Load() != after {
			t.Fatal("a claim ended in the background after Close")
		}
	}
}
