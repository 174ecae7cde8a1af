package jsontext

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppendDecimal(t *testing.T) {
	for _, tt := range []struct{ decimal, want string }{
		{"999.0000", "999.0"}, {"0.0001", "0.0001"}, {"0.00005", "5e-05"}, {"544.5180", "544.518"}, {"-0.5000", "-0.5"},
		{"0.0000", "0.0"}, {"0", "0.0"}, {"7", "7.0"}, {"-7", "-7.0"}, {"0.1", "0.1"}, {"0.0010", "0.001"}, {"0.00010000", "0.0001"},
		{"0.00009999", "9.999e-05"}, {"1e-7", "1e-07"}, {"-12345.6700", "-12345.67"}, {"99999999.9999", "99999999.9999"},
		{"100.00", "100.0"}, {"-0.0001", "-0.0001"}, {"-0.00001", "-1e-05"}, {"2.675", "2.675"},
		{"123456789012345.6", "123456789012345.6"}, {"999999999999999.9", "999999999999999.9"},
		{"1234567890123456.7", "1234567890123456.8"}, {"9007199254740991", "9007199254740991.0"},
		{"9007199254740993", "9007199254740992.0"}, {"9007199254740992.5", "9007199254740992.0"},
		{"9999999999999998.0", "9999999999999998.0"}, {"9999999999999999.0", "1e+16"}, {"10000000000000000.0", "1e+16"},
		{"100000000000000000000.0000", "1e+20"}, {"1234567890123456789", "1.2345678901234568e+18"},
		{"12345678901234567890.12345678", "1.2345678901234567e+19"}, {"1e300", "1e+300"},
		{"0.30000000000000004", "0.30000000000000004"},
		{".5", "0.5"}, {"-.5", "-0.5"}, {"+5", "5.0"}, {"", "null"}, {"-", "null"}, {"1.2.3", "null"}, {"1-2", "null"}, // which no server delivers
	} {
		if got := string(AppendDecimal([]byte("x"), []byte(tt.decimal))); got != "x"+tt.want {
			t.Errorf("%s: got %s, want %s", tt.decimal, got[1:], tt.want)
		}
	}
	for line := range strings.Lines(strings.TrimSpace(reprs)) {
		decimal, want, _ := strings.Cut(strings.TrimSpace(line), " ")
		if got := string(AppendDecimal(nil, []byte(decimal))); got != want {
			t.Errorf("%s: got %s, want %s", decimal, got, want)
		}
	}
}

// pythonRepr writes f by CPython's rules from its shortest digits: another way
// than AppendFloat's.
func pythonRepr(f float64) string {
	s := strconv.FormatFloat(math.Abs(f), 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	digits := strings.Replace(mantissa, ".", "", 1)
	e, _ := strconv.Atoi(exponent)
	switch {
	case f == 0:
		s = "0.0"
	case e < -4 || e >= 16:
		s = fmt.Sprintf("%se%+03d", mantissa, e)
	case e < 0:
		s = "0." + strings.Repeat("0", -e-1) + digits
	case len(digits) <= e+1:
		s = digits + strings.Repeat("0", e+1-len(digits)) + ".0"
	default:
		s = digits[:e+1] + "." + digits[e+1:]
	}
	if math.Signbit(f) {
		return "-" + s
	}
	return s
}

// randomDecimal is a value of DECIMAL(precision, scale) as the server writes it.
func randomDecimal(random *rand.Rand, precision, scale int) string {
	n := random.Uint64N(uint64(math.Pow10(random.IntN(precision) + 1)))
	if random.IntN(4) == 0 { // whole, or nearly
		n -= n % uint64(math.Pow10(random.IntN(scale+1)))
	}
	s := fmt.Sprintf("%0*d", scale+1, n)
	s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	if n != 0 && random.IntN(3) == 0 {
		s = "-" + s
	}
	return s
}

func TestAppendDecimalAtRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, size := range [][2]int{{10, 4}, {6, 4}, {10, 2}, {19, 8}, {19, 2}} {
		for range 20000 {
			decimal := randomDecimal(random, size[0], size[1])
			f, err := strconv.ParseFloat(decimal, 64)
			if err != nil {
				t.Fatal(err)
			}
			want := pythonRepr(f)
			if got := string(AppendDecimal(nil, []byte(decimal))); got != want {
				t.Errorf("%s: got %s, want %s", decimal, got, want)
			}
			if got := string(AppendFloat(nil, f)); got != want {
				t.Errorf("AppendFloat %v: got %s, want %s", f, got, want)
			}
		}
	}
}

func FuzzAppendFloat(f *testing.F) {
	for _, x := range []float64{0, 1, -0.5, 5e-5, 1e16, 1e-4, 9999999999999998, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		f.Add(x)
	}
	f.Fuzz(func(t *testing.T, x float64) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return // no column holds them
		}
		got := string(AppendFloat(nil, x))
		if want := pythonRepr(x); got != want {
			t.Errorf("%v: got %s, want %s", x, got, want)
		}
		if back, err := strconv.ParseFloat(got, 64); err != nil || back != x {
			t.Errorf("%v: %s reads back as %v, %v", x, got, back, err)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%v: %s is no JSON", x, got)
		}
	})
}

func TestAppendString(t *testing.T) {
	for s, want := range map[string]string{
		"": `""`, "plain": `"plain"`, `a"b\c`: `"a\"b\\c"`, "\n\r\t\b\f": `"\n\r\t\b\f"`, "\x00\x01\x0b\x1f": `"\u0000\u0001\u000b\u001f"`,
		"\x1b": `"\u001b"`, "a/b": `"a/b"`, "<a & b>'": `"<a & b>'"`, "\x7f": "\"\x7f\"", "\u2028\u2029": "\"\u2028\u2029\"",
		"Cañón 東京 🏃": `"Cañón 東京 🏃"`, "\u0080\u00a0\ufeff": "\"\u0080\u00a0\ufeff\"", "x\n": `"x\n"`, "\"": `"\""`,
	} {
		if got := string(AppendString([]byte("["), s)); got != "["+want {
			t.Errorf("%q: got %s, want %s", s, got[1:], want)
		}
		if got := string(AppendString(nil, []byte(s))); got != want {
			t.Errorf("%q as bytes: got %s, want %s", s, got, want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\", "\x00\x1f\x7f", "\u2028<&>", "ñ🏃", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := AppendString(nil, s)
		for i, c := range got {
			if c < ' ' {
				t.Fatalf("%q: control character %#x at %d", s, c, i)
			}
		}
		if !utf8.ValidString(s) {
			return
		}
		var back string
		if err := json.Unmarshal(got, &back); err != nil || back != s {
			t.Errorf("%q: %s reads back as %q, %v", s, got, back, err)
		}
	})
}

func TestAppendDateTime(t *testing.T) {
	for text, want := range map[string]string{
		"2025-10-26 22:25:00": "2025-10-26T22:25:00", "2025-10-26 22:25:00.000000": "2025-10-26T22:25:00",
		"2025-10-26 22:25:00.123456": "2025-10-26T22:25:00.123456", "2025-10-26 22:25:00.5": "2025-10-26T22:25:00.500000",
		"2025-10-26 22:25:00.001": "2025-10-26T22:25:00.001000", "2025-10-26 22:25:00.0": "2025-10-26T22:25:00",
		"0000-00-00 00:00:00": "0000-00-00T00:00:00",
	} {
		if got := string(appendDateTime(nil, []byte(text))); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestAppendValue(t *testing.T) {
	type bytes = []byte
	for _, tt := range []struct {
		kind  Kind
		value driver.Value
		want  string
	}{
		{Integer, int64(7), "7"}, {Integer, int64(-7), "-7"}, {Integer, int64(math.MinInt64), "-9223372036854775808"},
		{Integer, bytes("42"), "42"}, {Integer, "42", "42"}, {Integer, uint64(math.MaxUint64), "18446744073709551615"},
		{Text, bytes(`a"b`), `"a\"b"`}, {Text, "ñ", `"ñ"`}, {Text, int64(5), `"5"`}, {Text, int64(12), `"12"`}, {Text, 0.5, `"0.5"`}, {Integer, float64(2), "2"}, {Date, []byte(`2025"`), `"2025""`}, {Text, uint64(5), `"5"`}, {Text, bytes{}, `""`},
		{Float, bytes("999.0000"), "999.0"}, {Float, int64(3), "3.0"}, {Float, float64(0.5), "0.5"}, {Float, 1e16, "1e+16"},
		{Float, 5e-05, "5e-05"}, {Float, float32(0.1), "0.1"}, {Float, "1.50", "1.5"},
		{Exact, bytes("790.7600"), `"790.7600"`}, {Exact, float64(790.76), "790.76"}, {Exact, float32(790.76), "790.76"}, {Exact, int64(790), "790"},
		{Exact, float64(790), "790.0"}, {Float, float32(1e10), "10000000000.0"}, {Float, float32(1e20), "1e+20"}, {Float, 1e300, "1e+300"}, {Float, 0.0, "0.0"}, {Exact, bytes("0.0000"), `"0.0000"`},
		{Date, bytes("2025-10-20"), `"2025-10-20"`}, {Date, bytes("0000-00-00"), `"0000-00-00"`},
		{DateTime, bytes("2025-10-26 22:25:00"), `"2025-10-26T22:25:00"`},
		{Boolean, int64(0), "false"}, {Boolean, int64(1), "true"}, {Boolean, int64(2), "true"}, {Boolean, bytes("0"), "false"},
		{Boolean, bytes("1"), "true"},
	} {
		got, err := AppendValue([]byte("x"), tt.kind, tt.value)
		if err != nil || string(got) != "x"+tt.want {
			t.Errorf("kind %d of %T %v: got %s, %v; want %s", tt.kind, tt.value, tt.value, got, err, tt.want)
		}
	}
	for kind := range Null + 1 {
		if got, err := AppendValue(nil, kind, nil); err != nil || string(got) != "null" {
			t.Errorf("kind %d of nil: got %s, %v", kind, got, err)
		}
	}
	if got, err := AppendValue(nil, Text, struct{}{}); err == nil {
		t.Errorf("a struct is written as %s", got)
	}
}

func TestAppendRow(t *testing.T) {
	e := NewEncoder([]Field{{Name: "a", Kind: Integer}, {Name: "none", Kind: Null}, {Name: `q"`, Kind: Text}, {Name: "last", Kind: Null}})
	got, err := e.AppendRow([]byte("["), []driver.Value{int64(1), []byte("x")})
	if want := `[{"a":1,"none":null,"q\"":"x","last":null}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	if _, err := e.AppendRow(nil, []driver.Value{int64(1), true}); err == nil {
		t.Error("a value of an unknown type is written")
	}
	nothing := NewEncoder([]Field{{Name: "only", Kind: Null}})
	if got, err := nothing.AppendRow(nil, nil); err != nil || string(got) != `{"only":null}` {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestAsInt(t *testing.T) {
	for _, tt := range []struct {
		value driver.Value
		want  int64
	}{
		{nil, 0}, {int64(-3), -3}, {[]byte("42"), 42}, {[]byte("42.0000"), 42}, {"7", 7}, {uint64(8), 8}, {float64(9), 9}, {[]byte(""), 0},
	} {
		if got := AsInt(tt.value); got != tt.want {
			t.Errorf("%T %v: got %d, want %d", tt.value, tt.value, got, tt.want)
		}
	}
	if AsText(nil) != "" || AsText([]byte("x")) != "x" || AsText("y") != "y" || AsText(int64(3)) != "3" {
		t.Error("asText")
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
