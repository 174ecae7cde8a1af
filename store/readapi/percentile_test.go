package readapi

import (
	"testing"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// TestPercentile: the values equal Python's round((1 - rank / total) * 100, 1).
func TestPercentile(t *testing.T) {
	for _, tt := range []struct {
		rank, total int64
		want        string
	}{
		{130, 205, "36.6"}, {81, 206, "60.7"}, {113, 146, "22.6"}, {151, 211, "28.4"}, {3, 7, "57.1"}, {70, 95, "26.3"},
		{178, 235, "24.3"}, {187, 288, "35.1"}, {100, 207, "51.7"}, {15, 320, "95.3"}, {66, 80, "17.5"}, {30, 35, "14.3"},
		{1, 1, "0.0"}, {1, 8, "87.5"}, {3, 8, "62.5"}, {1, 80, "98.8"}, {3, 80, "96.2"}, {9, 16, "43.8"}, {1, 16, "93.8"},
		{13, 400, "96.8"}, {5, 3, "-66.7"}, {1, 400, "99.8"}, {399, 400, "0.2"}, {1, 2000, "100.0"}, {27, 2000, "98.7"},
	} {
		if got := string(jsontext.Append(nil, percentile(tt.rank, tt.total))); got != tt.want {
			t.Errorf("%d of %d: %s, want %s", tt.rank, tt.total, got, tt.want)
		}
	}
	if got := string(jsontext.Append(nil, percentile(nil, 7))) + string(jsontext.Append(nil, percentile(int64(1), 0))); got != "nullnull" {
		t.Errorf("no rank, and no athletes: %s", got)
	}
}
