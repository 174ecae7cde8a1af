package admission_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/cache/admission"
)

// An entry is kept while there is room, and a removed entry leaves its room to others.
func ExamplePolicy_Admit() {
	p, err := admission.New[string](100)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	verdict, evicted := p.Admit("teams", "the teams", 60)
	fmt.Println(verdict == admission.Kept, evicted, p.Has("teams", "the teams"), p.Room())
	p.Remove("teams")
	fmt.Println(p.Has("teams", "the teams"), p.Room())
	// Output:
	// true [] true 40
	// false 100
}
