package jsontext

import (
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	for in, want := range map[string]string{
		"12.3400": "12.3400", "-0.05": "-0.05", "7": "7.", "0.0000": "0.0000", "-123.4": "-123.4", "": "0.", "000.5": "0.5",
	} {
		if got := string(ParseNumber([]byte(in)).Text()); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	if got := string(Sum([]Number{ParseNumber([]byte("1.5")), ParseNumber([]byte("-0.0005")), ParseNumber([]byte("3"))}).Text()); got != "4.4995" {
		t.Errorf("the sum is %s", got)
	}
	if got := ParseNumber(nil); !got.IsZero() {
		t.Errorf("NULL is %s", got.Text())
	}
}

// TestMean holds AppendMean against AVG of MariaDB 10.11, by ties of the last
// digit above all.
func TestMean(t *testing.T) {
	for _, tt := range []struct {
		numbers string
		scale   int
		want    string
	}{
		{"1.0000", 4, "1.0"}, {"0.0001 0.0000 0.0000", 4, "3.333e-05"}, {"0.01 0.00 0.00", 2, "0.003333"},
		{"-0.0001 0.0000 0.0000", 4, "-3.333e-05"}, {"0.01 0.00 0.00 0.00 0.00 0.00 0.00", 2, "0.001429"},
		{"0.0001 0.0000 0.0000 0.0000 0.0000 0.0000", 4, "1.667e-05"}, {"10.5000 11.2500", 4, "10.875"}, {"", 4, "null"},
		{"0.00 0.00 0.00", 2, "0.0"}, {"-1.50 -2.50", 2, "-2.0"},
	} {
		var numbers []Number
		for _, text := range strings.Fields(tt.numbers) {
			numbers = append(numbers, ParseNumber([]byte(text)))
		}
		if got := string(AppendMean([]byte("x"), Sum(numbers), int64(len(numbers)), tt.scale)); got != "x"+tt.want {
			t.Errorf("%s: got %s, want %s", tt.numbers, got[1:], tt.want)
		}
	}
	// A sum may have more decimals than the column that it is of.
	if got := string(AppendMean(nil, ParseNumber([]byte("0.12345678")), 2, 2)); got != "0.06172839" {
		t.Errorf("of a long sum: %s", got)
	}
}

func TestDeviation(t *testing.T) {
	for numbers, want := range map[string]string{
		"": "null", "5.0000": "0.0", "1.0000 2.5000 -3.5000 0.0000": "2.20794022", "0.0000 0.0001": "5e-05",
		"1.0000 2.0000 3.0000 4.0000": "1.11803399", "-1.0000 1.0000": "1.0",
	} {
		var all []Number
		for _, text := range strings.Fields(numbers) {
			all = append(all, ParseNumber([]byte(text)))
		}
		if got := string(AppendDeviation([]byte("x"), all)); got != "x"+want {
			t.Errorf("%s: got %s, want %s", numbers, got[1:], want)
		}
	}
}

// TestPercent's figures are ROUND(part * 100.0 / whole, 1) of MariaDB 10.11:
// half of the last digit rounds up.
func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		part, whole int64
		want        string
	}{{0, 7, "0.0"}, {7, 7, "100.0"}, {1, 3, "33.3"}, {2, 3, "66.7"}, {1, 8, "12.5"}, {1, 16, "6.3"}, {1, 80, "1.3"}, {3, 80, "3.8"}, {1, 2000, "0.1"}, {1, 2001, "0.0"}} {
		if got := string(AppendPercent([]byte("x"), tt.part, tt.whole)); got != "x"+tt.want {
			t.Errorf("%d of %d: got %s, want %s", tt.part, tt.whole, got[1:], tt.want)
		}
	}
}

// TestRounded's figures are Python's round(f, digits): halves round to even.
func TestRounded(t *testing.T) {
	for _, tt := range []struct {
		f      float64
		digits int
		want   string
	}{{3.75, 1, "3.8"}, {6.25, 1, "6.2"}, {2.675, 2, "2.67"}, {-0.04, 1, "-0.0"}, {99.95, 1, "100.0"}, {12, 0, "12.0"}, {1.123456789, 8, "1.12345679"}} {
		if got := string(AppendRounded([]byte("x"), tt.f, tt.digits)); got != "x"+tt.want {
			t.Errorf("%v to %d: got %s, want %s", tt.f, tt.digits, got[1:], tt.want)
		}
	}
}
