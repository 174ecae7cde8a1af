package fill

import "sync"

// Each calls f with each number below n, and most of them concurrently.
func Each(n, most int, f func(i int)) {
	turns := make(chan struct{}, most)
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
