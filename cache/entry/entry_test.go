package entry

import "testing"

func TestCost(t *testing.T) {
	tests := map[string]struct {
		key   string
		entry Content
		want  int64
	}{
		"empty":    {"", Content{}, overhead},
		"key":      {"list?1", Content{}, overhead + 6},
		"body":     {"", Content{Variants: []Variant{{Body: make([]byte, 100)}}}, overhead + 100},
		"capacity": {"", Content{Variants: []Variant{{Body: make([]byte, 1, 300)}}}, overhead + 300},
		"ETag":     {"", Content{Variants: []Variant{{ETag: []byte(`"abc"`)}}}, overhead + 5},
		"variants": {"k", Content{Size: 1 << 20, Variants: []Variant{
			{ETag: []byte(`"1"`)}, {Coding: "gzip", Body: make([]byte, 40), ETag: []byte(`"12"`)}, {Coding: "br", Body: make([]byte, 30)},
		}}, overhead + 1 + 3 + 44 + 30},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := Entry{Key: tt.key, Content: tt.entry}
			if got := e.Cost(); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}
