package adminclient

import "testing"

func TestBaseURL(t *testing.T) {
	for addr, want := range map[string]string{
		":8000":             "http://127.0.0.1:8000",
		"0.0.0.0:8000":      "http://127.0.0.1:8000",
		"[::]:8000":         "http://[::1]:8000",
		"[::1]:8000":        "http://[::1]:8000",
		"192.0.2.7:80":      "http://192.0.2.7:80",
		"some.example:8000": "http://some.example:8000",
	} {
		if got, err := baseURL(addr); err != nil || got != want {
			t.Errorf("baseURL(%q) = %q, %v, want %q", addr, got, err, want)
		}
	}
}
