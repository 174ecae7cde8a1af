package cache

import "testing"

func TestCost(t *testing.T) {
	tests := map[string]struct {
		entry Entry
		want  int64
	}{
		"empty":    {Entry{}, entryOverhead},
		"key":      {Entry{Key: "list?1"}, entryOverhead + 6},
		"body":     {Entry{Variants: []Variant{{Body: make([]byte, 100)}}}, entryOverhead + 100},
		"capacity": {Entry{Variants: []Variant{{Body: make([]byte, 1, 300)}}}, entryOverhead + 300},
		"ETag":     {Entry{Variants: []Variant{{ETag: []byte(`"abc"`)}}}, entryOverhead + 5},
		"variants": {Entry{Key: "k", Size: 1 << 20, Variants: []Variant{
			{ETag: []byte(`"1"`)}, {Coding: "gzip", Body: make([]byte, 40), ETag: []byte(`"12"`)}, {Coding: "br", Body: make([]byte, 30)},
		}}, entryOverhead + 1 + 3 + 44 + 30},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.entry.Cost(); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}

func TestOutcomeNames(t *testing.T) {
	seen := map[string]bool{}
	for o := range Outcomes {
		if name := o.String(); name == "" || seen[name] {
			t.Errorf("outcome %d has the name %q", o, name)
		}
		seen[o.String()] = true
	}
}
