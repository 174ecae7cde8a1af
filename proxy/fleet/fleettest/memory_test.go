package fleettest

import (
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
)

func TestConformance(t *testing.T) {
	s := NewServer()
	Conformance(t, func(*testing.T) fleet.Engine { return s.Engine() }, s.Flush)
}
