package app

import (
	"testing"

	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy/share"
)

// TestClientLimits: without settings a client has the share that fits an office, and each
// limit of the setting reaches the share of its name.
func TestClientLimits(t *testing.T) {
	for text, want := range map[string]map[string]int64{
		"":                         share.New(share.Default).Limits(),
		"off":                      {"requests": 0, "quick": 0, "heavy": 0, "costly": 0},
		"requests=1,quick=2":       {"requests": 1, "quick": 2, "heavy": 64, "costly": 16},
		"heavy=3,costly=4,quick=0": {"requests": 2000, "quick": 0, "heavy": 3, "costly": 4},
	} {
		flags := map[string]string{"CLIENT_LIMITS": text}
		if text == "" {
			flags = nil
		}
		cfg, err := config.Load(flags, func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		got := share.New(clientLimits(cfg.ClientLimits)).Limits()
		for name := range want {
			if got[name] != want[name] || len(got) != len(want) {
				t.Errorf("%s: %v, want %v", text, got, want)
			}
		}
	}
}
