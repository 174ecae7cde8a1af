package engine

import "testing"

// TestIDsOfEvents: IDs are compared by both of their numbers.
func TestIDsOfEvents(t *testing.T) {
	if a, b := parseID("10-12"); a != 10 || b != 12 {
		t.Errorf("%d, %d", a, b)
	}
	for _, tt := range []struct {
		a, b string
		want int
	}{{"2-1", "2-2", -1}, {"10-0", "9-5", 1}, {"9-10", "9-9", 1}, {"x", "0-0", 0}, {"5", "5-0", 0}} {
		if got := CompareIDs(tt.a, tt.b); got != tt.want || CompareIDs(tt.b, tt.a) != -tt.want {
			t.Errorf("%s and %s: %d", tt.a, tt.b, got)
		}
		if tt.want > 0 && (MaxID(tt.a, tt.b) != tt.a || MaxID(tt.b, tt.a) != tt.a) {
			t.Errorf("%s is later than %s", MaxID(tt.a, tt.b), tt.a)
		}
	}
}
