package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// TestActionsWithoutTheFleet holds that each command that acts on a fleet prints the warning
// of a proxy that could not reach the others on stderr, also beside JSON, which has it too.
func TestActionsWithoutTheFleet(t *testing.T) {
	const text = "done on this proxy only"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]any{
			"POST /cache/purge": api.Purged{Purged: 1, Warning: text}, "POST /cache/maintenance": api.MaintenanceState{Warning: text},
			"POST /cache/source": api.SourceState{Warning: text}, "POST /cache/warm": api.WarmTicket{Warning: text}, "GET /cache/warm": api.WarmState{},
		}[r.Method+" "+r.URL.Path]
		_ = console.JSON(w, answer)
	}))
	defer srv.Close()
	for _, args := range []string{"purge --all", "maintenance off", "source store", "warm"} {
		for _, more := range []string{"", " --json"} {
			_, stdout, stderr := command(nil, strings.Fields(args+more+" --url "+srv.URL)...)
			if strings.Count(stderr, "xcri-proxy: warning: "+text+"\n") != 1 {
				t.Errorf("%s%s: stderr %q", args, more, stderr)
			}
			if more == "" {
				continue
			}
			var got struct{ Warning string }
			if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.Warning != text {
				t.Errorf("%s%s: stdout %q, %v", args, more, stdout, err)
			}
		}
	}
	if _, stdout, stderr := command(nil, "warm", "--quiet", "--url", srv.URL); stdout+stderr != "" {
		t.Errorf("warm --quiet printed %q", stdout+stderr)
	}
}
