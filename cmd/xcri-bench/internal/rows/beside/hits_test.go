package beside

import (
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/neighbours"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/rounds"
)

func TestFromTheirCaches(t *testing.T) {
	all := make([]rounds.Series, neighbours.Contenders)
	for i := range all {
		all[i] = rounds.Series{Runs: 2, Requests: 10_000}
	}
	if err := fromTheirCaches(all, 10_000+2*crowd+10); err != nil {
		t.Error(err)
	}
	if err := fromTheirCaches(all, 10_000+2*crowd+11); err == nil {
		t.Error("11 of 10,000 answers are not from a cache, and no error")
	}
}
