package plural

import (
	"fmt"
	"testing"
)

func TestOf(t *testing.T) {
	for want, got := range map[string]string{
		"1 entry": Of(1, "entry"), "2 entries": Of(2, "entry"), "0 members": Of(0, "member"), "-1 bytes": Of(int64(-1), "byte"),
		"3 days": Of(3, "day"), "2 switches": Of(2, "switch"), "1 switch": Of(1, "switch"), "4 classes": Of(4, "class"), "2 y's": Of(2, "y'"), "has": Word(1, "has", "have"), "have": Word(0, "has", "have"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func Example() {
	fmt.Println(Of(1, "entry"), "purged,", Of(12, "entry"), "left")
	// Output: 1 entry purged, 12 entries left
}
