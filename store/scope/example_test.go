package scope_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/store/scope"
)

func ExampleScope_Overlaps() {
	list, _ := scope.Parse("2025/2030/*/live") // both genders of a division
	men, _ := scope.Parse("2025/2030/M/live")
	snapshot, _ := scope.Parse("2025/2030/M/2025-10-20")
	fmt.Println(list.Overlaps(men), list.Overlaps(snapshot))
	fmt.Println(list.Covers(men), men.Covers(list))
	// Output:
	// true false
	// true false
}
