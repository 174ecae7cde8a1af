package fleettest

import (
	"context"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
)

func TestConformance(t *testing.T) {
	s := NewServer()
	Conformance(t, func(*testing.T) fleet.Engine { return s.Engine() }, s.Flush)
}

// TestConformanceWithLateMessages holds that the operations are judged by their own messages
// alone: a cluster may deliver messages of an earlier test.
func TestConformanceWithLateMessages(t *testing.T) {
	s := NewServer()
	Conformance(t, func(*testing.T) fleet.Engine { return late{s.Engine()} }, s.Flush)
}

// late is an engine that receives a message of another test first.
type late struct{ fleet.Engine }

func (l late) Listen(ctx context.Context, ready func(), receive func(fleet.Message)) error {
	return l.Engine.Listen(ctx, func() {
		receive(fleet.Message{Kind: fleet.Filled, Text: "n:{1}:a"})
		ready()
	}, receive)
}
