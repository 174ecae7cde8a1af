package health

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestTimestamp(t *testing.T) {
	for ns, want := range map[int]string{
		0: "2025-10-05T01:02:03", 999: "2025-10-05T01:02:03", 1000: "2025-10-05T01:02:03.000001", 827110000: "2025-10-05T01:02:03.827110",
	} {
		if got := timestamp(time.Date(2025, 10, 5, 1, 2, 3, ns, time.Local)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Each page reports the state of the service in its own words, and asks neither the
// database nor the cache when it must not.
func TestStates(t *testing.T) {
	for name, tt := range map[string]struct {
		ping         error
		down, paused bool
		tables       string // empty for an error
		page, root   string
		pinged       bool
	}{
		"well":                 {nil, false, false, `{"a":1,"b":10}`, "healthy", "healthy", true},
		"an empty table":       {nil, false, false, `{"a":1,"b":0}`, "degraded", "healthy", true},
		"an empty first table": {nil, false, false, `{"a":0,"b":1}`, "degraded", "healthy", true},
		"no answer":            {errors.New("gone"), false, false, `{"a":1}`, "unhealthy", "degraded", true},
		"known to be down":     {nil, true, false, `{"a":1}`, "unhealthy", "degraded", false},
		"down and paused":      {nil, true, true, `{"a":1}`, "unhealthy", "degraded", false},
		"paused":               {errors.New("gone"), false, true, `{"a":1}`, "healthy", "healthy", false},
		"no counts":            {nil, false, false, ``, "unhealthy", "degraded", true},
	} {
		for words, want := range map[Words]string{Page: tt.page, Root: tt.root} {
			pinged := false
			h := New(Options{
				Ping: func(context.Context) error { pinged = true; return tt.ping },
				Down: func() bool { return tt.down }, Paused: func() bool { return tt.paused },
				Tables: func() ([]byte, error) {
					if tt.tables == "" {
						return nil, errors.New("no counts")
					}
					return []byte(tt.tables), nil
				},
			})
			var ctx fasthttp.RequestCtx
			h.Serve(&ctx, words)
			var got struct {
				Status    string          `json:"status"`
				Connected bool            `json:"database_connected"`
				Tables    json.RawMessage `json:"database_tables"`
			}
			if err := json.Unmarshal(ctx.Response.Body(), &got); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			connected := want != words.down
			if got.Status != want || got.Connected != connected || pinged != tt.pinged || (string(got.Tables) == "null") == connected {
				t.Errorf("%s: %s, pinged: %t", name, ctx.Response.Body(), pinged)
			}
		}
	}
}
