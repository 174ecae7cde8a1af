package cache

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// hitCache returns a cache with the keys that the hit benchmarks request, each named
// after its shelf.
func hitCache(tb testing.TB) *Cache {
	tb.Helper()
	o := &fakeOrigin{size: 10 << 10}
	c := newCache(tb, o, Options{})
	publish(tb, c, o.generation(), keys("warm", 200)...)
	ask(tb, c, "hot", 1, always(2*promoteAfter))
	for _, part := range []string{"warm", "hot"} {
		where(tb, c, key(part, 0), part)
	}
	return c
}

func BenchmarkGetHit(b *testing.B) {
	c := hitCache(b)
	for _, part := range []string{"warm", "hot"} {
		key := key(part, 0)
		ref := &Ref{Key: key}
		for name, hit := range map[string]func(){"get": func() { c.lookup(key) }, "follow": func() { c.Get(ref) }, "peek": func() { c.Peek(ref) }} {
			b.Run(part+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					hit()
				}
			})
		}
	}
}

func BenchmarkGetHitParallel(b *testing.B) {
	c := hitCache(b)
	for _, part := range []string{"warm", "hot"} {
		ref := &Ref{Key: key(part, 0)}
		b.Run(part, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					c.Get(ref)
				}
			})
		})
	}
}

// BenchmarkGetMiss measures a miss, including the eviction of an older entry.
func BenchmarkGetMiss(b *testing.B) {
	c := newCache(b, &fakeOrigin{size: 10 << 10}, Options{Bytes: 16 << 20})
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if _, outcome, err := c.lookup(key("list", n)); outcome != Miss {
			b.Fatal(outcome, err)
		}
	}
}

// BenchmarkCoalesced measures the time until all readers of a cold key have its
// answer.
func BenchmarkCoalesced(b *testing.B) {
	for _, readers := range []int64{10, 100, 1000} {
		b.Run(strconv.FormatInt(readers, 10), func(b *testing.B) {
			o := &fakeOrigin{}
			c := newCache(b, o, Options{Bytes: 1 << 29}) // a late reader needs the entry to be there
			fill := c.opts.Fill
			c.opts.Fill = func(ctx context.Context, key string) (Content, error) {
				for c.counts.waiting.Load() < readers {
					runtime.Gosched()
				}
				return fill(ctx, key)
			}
			var missed atomic.Int64
			b.ReportAllocs()
			n := 0
			for ; b.Loop(); n++ {
				k := key("list", n)
				var wg sync.WaitGroup
				for range readers {
					wg.Go(func() {
						if _, outcome, _ := c.lookup(k); outcome != Coalesced {
							missed.Add(1)
						}
					})
				}
				wg.Wait()
			}
			if missed.Load() != int64(n) {
				b.Errorf("%d fills for %d keys", missed.Load(), n)
			}
		})
	}
}
