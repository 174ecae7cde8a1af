package exit

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
)

// TestStatus holds the exit status of each kind of error, also below other errors, and
// that Reported changes no status and hides no mistake in the command line.
func TestStatus(t *testing.T) {
	plain := errors.New("no")
	for name, tt := range map[string]struct {
		err      error
		status   int
		reported bool // after Reported
	}{
		"none":                  {nil, 0, false},
		"a wrong command line":  {plain, Usage, false},
		"a rejected parameter":  {&adminclient.Error{Kind: adminclient.Rejected}, Usage, false},
		"a refused token":       {&adminclient.Error{Kind: adminclient.Failed}, Runtime, true},
		"no proxy":              {fmt.Errorf("at last: %w", &adminclient.Error{Kind: adminclient.Unreachable}), Unreachable, true},
		"a failure at run time": {fmt.Errorf("at last: %w", Wrap(Partly, plain)), Partly, true},
		"a text":                {Errorf(TooSlow, "%d ms", 7), TooSlow, true},
		"silence":               {Silent, Runtime, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := Reported(tt.err)
			if Status(tt.err) != tt.status || Status(got) != tt.status || IsReported(got) != tt.reported {
				t.Errorf("status %d, then %d, reported %t; want %d, %t", Status(tt.err), Status(got), IsReported(got), tt.status, tt.reported)
			}
			if !errors.Is(got, tt.err) {
				t.Errorf("%v is not %v", got, tt.err)
			}
		})
	}
	if IsReported(plain) || IsReported(Wrap(Partly, plain)) || !IsReported(Silent) {
		t.Error("a command hides a message")
	}
}
