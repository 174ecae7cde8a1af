package metrics

import (
	"maps"
	"testing"
)

func TestStatuses(t *testing.T) {
	var s Statuses
	for _, code := range []int{200, 200, 304, 404, 503, 599, 100, 99, 600, 0, -1} {
		s.Add(code)
	}
	want := map[int]int64{100: 1, 200: 2, 304: 1, 404: 1, 500: 4, 503: 1, 599: 1}
	if got := s.Read(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if ok, none := s.Of(200), s.Of(201); ok != 2 || none != 0 {
		t.Errorf("%d of 200, %d of 201", ok, none)
	}
	if got := s.Classes(); got != [5]int64{1, 2, 1, 1, 6} {
		t.Errorf("%v", got)
	}
}
