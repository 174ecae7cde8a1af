package verify

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
)

func TestReadTargets(t *testing.T) {
	got, err := readTargets("-", strings.NewReader("#\n a \n\n#b\nc d\n"))
	if fmt.Sprintf("%q", got) != `["a" "c d"]` || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := readTargets("-", strings.NewReader(strings.Repeat("x\n", accesslog.MaxTargets+1))); err == nil || err.Error() != "-: more than 50000 targets" {
		t.Error(err)
	}
	if _, err := readTargets("-", strings.NewReader(strings.Repeat("x", 64<<10+1))); err == nil {
		t.Error("a line without an end was taken")
	}
}

// TestPacer holds that events keep the minimum interval, also after a long event.
func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pacer{every: 500 * time.Millisecond}
		begun := time.Now()
		var at []time.Duration
		for i := range 6 {
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			at = append(at, time.Since(begun))
			took := 100 * time.Millisecond
			if i == 2 {
				took = 3 * time.Second
			}
			time.Sleep(took)
		}
		if got := fmt.Sprint(at); got != "[0s 500ms 1s 4s 4.5s 5s]" {
			t.Error(got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if p.wait(ctx) == nil {
			t.Error("did not wait")
		}
	})
}
