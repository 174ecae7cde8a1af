package fill

import "sync"

// Each calls f once for each number below n. At most the given number of calls run
// concurrently.
func Each(n, concurrent int, f func(i int)) {
	turns := make(chan struct{}, concurrent)
	var all sync.WaitGroup
	for i := range n {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			f(i)
		})
	}
	all.Wait()
}
