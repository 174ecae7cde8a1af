package budget_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/proxy/budget"
)

// Two requests share 100 bytes: the second has no room until the first has ended.
func ExampleBudget() {
	b := budget.New(100)
	first, second := b.Room(), b.Room()
	fmt.Println(first.Grow(80), second.Grow(30))
	_ = first.Close() // never fails
	fmt.Println(second.Grow(30), b.Stats())
	// Output:
	// true false
	// true {100 30 1}
}
