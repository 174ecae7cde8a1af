package slot_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/reads"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

type day string

func (d day) ID() string                { return string(d) }
func (d day) Holds(e *entry.Entry) bool { return e.Generation == string(d) }

// A slot serves a version while the version of the next generation is prepared.
func Example() {
	version := func(of day) *slot.Version {
		return slot.NewVersion(&entry.Entry{Key: "/teams", Content: entry.Content{Generation: string(of)}}, reads.Moment{})
	}
	monday, tuesday := &slot.State{Generation: day("Monday")}, &slot.State{Generation: day("Tuesday")}
	s := slot.New("/teams")
	s.Serve(version("Monday"))
	s.Prepare(version("Tuesday"), tuesday)
	for _, published := range []*slot.State{monday, tuesday} {
		v := s.In(published)
		fmt.Println(published.ID(), "serves", v.Generation, published.Fresh(v))
	}
	// Output:
	// Monday serves Monday true
	// Tuesday serves Tuesday true
}
