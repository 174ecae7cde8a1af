package store

import (
	"math/big"
	"regexp"
	"strings"
	"testing"
)

// TestCanonicalInt's verdicts are those of pydantic 2 (pydantic-core 2.46).
func TestCanonicalInt(t *testing.T) {
	nines := strings.Repeat("9", maxDigits)
	ones := strings.Repeat("1", maxDigits-1)
	for _, tt := range []struct {
		raw, want string
	}{
		{"0", "0"}, {"7", "7"}, {"-7", "-7"}, {"2025", "2025"},
		{"10.0", "10"}, {" 1 ", "1"}, {"+5", "5"}, {"01", "1"}, {"1_0", "10"}, {"-0", "0"}, {"+0", "0"}, {"00", "0"},
		{"00.000", "0"}, {"0__1", "1"}, {"0_0", "0"}, {"-0_0", "0"}, {"0_0.0", "0"}, {"-00.00", "0"}, {"1_0.0", "10"},
		{"1_0_0", "100"}, {"-01", "-1"}, {"-1.0", "-1"}, {"+01", "1"}, {"+0_1", "1"}, {"-0_1", "-1"}, {"0_1.0", "1"},
		{"1.0 ", "1"}, {"1\n", "1"}, {"\v1\f", "1"}, {"\u00a01", "1"}, {"1\u2028", "1"}, {"\u00851", "1"},
		{"9223372036854775807", "9223372036854775807"}, {"-9223372036854775809", "-9223372036854775809"},
		{nines, nines}, {"0" + nines, nines}, {" " + nines, nines}, {nines + ".0", nines}, {"-" + ones, "-" + ones},
		{" -" + ones, "-" + ones}, {"1_" + ones, "1" + ones}, {strings.Repeat("0", 5000), "0"}, {strings.Repeat("0", 5000) + "1", "1"},
	} {
		p := Param{Name: "n", Kind: Int}
		got, given, problem := p.Canonical([]byte("n="), []byte(tt.raw))
		if string(got) != "n="+tt.want || !given || problem != OK {
			t.Errorf("%.20q (%d bytes): got %.20q %v, problem %d", tt.raw, len(tt.raw), got, given, problem)
		}
	}
	for raw, want := range map[string]Problem{
		"": IntParsing, " ": IntParsing, "+": IntParsing, "-": IntParsing, "abc": IntParsing, "1.5": IntParsing, "1e1": IntParsing,
		"0x10": IntParsing, "1__0": IntParsing, "_1": IntParsing, "1_": IntParsing, "0_": IntParsing, "00_": IntParsing,
		"0__": IntParsing, "_0": IntParsing, "+_1": IntParsing, "-_1": IntParsing, "0_.0": IntParsing, "1_.0": IntParsing,
		"1._0": IntParsing, "0_._0": IntParsing, "+-1": IntParsing, "-+1": IntParsing, "--1": IntParsing, "++1": IntParsing,
		"- 5": IntParsing, "+ 5": IntParsing, "0+1": IntParsing, ".0": IntParsing, "5.": IntParsing, "0.": IntParsing,
		"1.0_0": IntParsing, "1.0.0": IntParsing, "1 2": IntParsing, "٣": IntParsing, "\x001": IntParsing, "\x1c1": IntParsing,
		"\u180e1": IntParsing, "\ufeff1": IntParsing, "\xff": IntParsing,
		// Only the plain spelling of a number too long is told from no number.
		// The sign counts.
		nines + "9": IntParsingSize, "-" + nines: IntParsingSize, "-" + nines + "9": IntParsingSize,
		" " + nines + "9": IntParsing, "+" + nines + "9": IntParsing, "1_" + nines: IntParsing, "-0" + nines: IntParsing,
		" -" + nines: IntParsing,
		// pydantic reads -1 here, for it drops the zero before it looks for a
		// sign. Nobody means that.
		"0-1": IntParsing,
	} {
		p := Param{Name: "n", Kind: Int}
		if _, _, problem := p.Canonical(nil, []byte(raw)); problem != want {
			t.Errorf("%.20q (%d bytes): problem %d, want %d", raw, len(raw), problem, want)
		}
	}
}

func TestCanonical(t *testing.T) {
	bounded := Param{Kind: Int, Min: bound(1), Max: bound(500)}
	zero := Param{Kind: Int, Zero: true}
	folded := Param{Kind: Choice, Choices: []string{"M", "F"}, Fold: upper, Pattern: "^[MFmf]$"}
	echoed := folded
	echoed.Echo = true
	open := Param{Kind: Choice, Choices: components, Fold: lower}
	exact := Param{Kind: Choice, Choices: components, Pattern: "^(saga|sewr|osma|xcri)$"}
	long := Param{Kind: Text, MinLen: 2}
	plain := Param{Kind: Text}
	empty := Param{Kind: Text, Zero: true}
	day := Param{Kind: Date}
	optional := Param{Kind: Date, Zero: true}
	repeated := Param{Kind: Date, Echo: true}
	huge := strings.Repeat("9", 30)
	for _, tt := range []struct {
		param   *Param
		raw     string
		want    string
		given   bool
		problem Problem
	}{
		{&bounded, "1", "1", true, OK}, {&bounded, "500.0", "500", true, OK}, {&bounded, "0", "0", true, TooSmall},
		{&bounded, "-1", "-1", true, TooSmall}, {&bounded, "501", "501", true, TooLarge}, {&bounded, huge, huge, true, TooLarge},
		{&bounded, "-" + huge, "-" + huge, true, TooSmall}, {&bounded, "x", "", true, IntParsing},
		{&zero, "0", "", false, OK}, {&zero, "-0.0", "", false, OK}, {&zero, "00", "", false, OK}, {&zero, "10", "10", true, OK},
		{&zero, "", "", true, IntParsing},
		{&folded, "m", "M", true, OK}, {&folded, "F", "F", true, OK}, {&folded, "x", "x", true, PatternMismatch},
		{&folded, "", "", true, PatternMismatch}, {&folded, "MF", "MF", true, PatternMismatch}, {&folded, "M\n", "M\n", true, PatternMismatch},
		{&folded, "ſ", "ſ", true, PatternMismatch},
		{&echoed, "m", "m", true, OK}, {&echoed, "M", "M", true, OK}, {&echoed, "x", "x", true, PatternMismatch},
		{&open, "SaGa", "saga", true, OK}, {&open, "Bad", "Bad", true, OK}, {&open, "", "", true, OK},
		{&exact, "saga", "saga", true, OK}, {&exact, "SAGA", "SAGA", true, PatternMismatch},
		{&long, "ab", "ab", true, OK}, {&long, "ñ", "ñ", true, TooShort}, {&long, "ñé", "ñé", true, OK}, {&long, "🏃", "🏃", true, TooShort},
		{&long, "", "", true, TooShort}, {&long, "  ", "  ", true, OK},
		{&plain, "", "", true, OK}, {&plain, " A ", " A ", true, OK}, {&empty, "", "", false, OK}, {&empty, "0", "0", true, OK},
		{&day, "20251020", "2025-10-20", true, OK}, {&day, "foo", noDate, true, OK}, {&day, "", noDate, true, OK},
		{&optional, "", "", false, OK}, {&optional, " ", noDate, true, OK}, {&optional, "2025-1-5", "2025-01-05", true, OK},
		{&repeated, "2025-1-5", "2025-1-5", true, OK}, {&repeated, "foo", "foo", true, OK},
	} {
		got, given, problem := tt.param.Canonical([]byte("x"), []byte(tt.raw))
		if string(got) != "x"+tt.want || given != tt.given || problem != tt.problem {
			t.Errorf("%+v of %q: got %q %v, problem %d; want %q %v, problem %d",
				*tt.param, tt.raw, got, given, problem, "x"+tt.want, tt.given, tt.problem)
		}
	}
}

func TestClampInt(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "7": 7, "-7": -7, "2147483648": 2147483648, "400000000000000000": 400000000000000000,
		strings.Repeat("9", 19): 1 << 62, strings.Repeat("9", 4300): 1 << 62, "-" + strings.Repeat("9", 30): -1 << 62,
	} {
		if got := clampInt(text); got != want {
			t.Errorf("%.30s: got %d, want %d", text, got, want)
		}
	}
}

var plainInt = regexp.MustCompile(`^-?[0-9]+$`)

func FuzzCanonical(f *testing.F) {
	var params []*Param
	for _, e := range Endpoints() {
		for i := range e.Params {
			params = append(params, &e.Params[i])
		}
	}
	for i, raw := range []string{"10.0", " 1 ", "+5", "0__1", "-0", "1_0.0", "m", "SAGA", "2025-10-20", "20251020", "", "ñ",
		strings.Repeat("9", 4301), "2025-1-5", "\xff", "-", "٣"} {
		f.Add(uint16(i), []byte(raw))
	}
	f.Fuzz(func(t *testing.T, which uint16, raw []byte) {
		p := params[int(which)%len(params)]
		before := string(raw)
		out, given, problem := p.Canonical([]byte("x"), raw)
		if string(raw) != before || len(out) == 0 || out[0] != 'x' {
			t.Fatalf("%s: %q became %q, output %q", p.Name, before, raw, out)
		}
		text := out[1:]
		if !given && len(text) > 0 {
			t.Fatalf("%s: %q is not given but %q", p.Name, raw, text)
		}
		if problem != OK || !given {
			return
		}
		again, given, problem := p.Canonical(nil, text)
		if string(again) != string(text) || !given || problem != OK {
			t.Fatalf("%s: %q becomes %q and that %q %v, problem %d", p.Name, raw, text, again, given, problem)
		}
		if p.Kind == Int {
			sameInt(t, p, string(raw), string(text))
		}
		p.bind(string(text)) // must not panic
	})
}

// sameInt demands that other spellings of a number have the same canonical
// form.
func sameInt(t *testing.T, p *Param, raw, text string) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.String() != text {
		t.Fatalf("%s: %q becomes %q", p.Name, raw, text)
	}
	if plainInt.MatchString(raw) {
		if want, _ := new(big.Int).SetString(raw, 10); want.Cmp(n) != 0 {
			t.Fatalf("%s: %q becomes %q", p.Name, raw, text)
		}
	}
	sign, digits := "", text
	if n.Sign() < 0 {
		sign, digits = "-", text[1:]
	}
	for _, spelling := range []string{" " + text + "\t", text + ".0", sign + "0" + digits, sign + "0_0" + digits, sign + "00" + digits + ".000 "} {
		out, given, problem := p.Canonical(nil, []byte(spelling))
		if string(out) != text || !given || problem != OK {
			t.Fatalf("%s: %q becomes %q %v, problem %d, but %q becomes %q", p.Name, spelling, out, given, problem, raw, text)
		}
	}
}
