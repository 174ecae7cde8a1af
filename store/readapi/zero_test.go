package readapi

import (
	"testing"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

func TestZeroAsNull(t *testing.T) {
	for score, want := range map[string]string{"0.0": "null", "-0.0": "null", "0.5": "0.5", "10.0": "10.0", "": "null", "5e-05": "5e-05"} {
		if got := string(jsontext.Append(nil, zeroAsNull(jsontext.Raw(score)))); got != want {
			t.Errorf("%s: got %s, want %s", score, got, want)
		}
	}
}
