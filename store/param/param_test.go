package param

import (
	"reflect"
	"strings"
	"testing"
)

// TestCanonicalInt: integers are accepted and refused as by pydantic 2 (pydantic-core
// 2.46).
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
		// A number that is too long is reported as such only in its plain spelling.
		// The sign counts as a character.
		nines + "9": IntParsingSize, "-" + nines: IntParsingSize, "-" + nines + "9": IntParsingSize,
		" " + nines + "9": IntParsing, "+" + nines + "9": IntParsing, "1_" + nines: IntParsing, "-0" + nines: IntParsing,
		" -" + nines: IntParsing,
		// pydantic reads -1 here, since it drops the zero before it checks for a sign.
		// The proxy refuses the text.
		"0-1": IntParsing,
	} {
		p := Param{Name: "n", Kind: Int}
		if _, _, problem := p.Canonical(nil, []byte(raw)); problem != want {
			t.Errorf("%.20q (%d bytes): problem %d, want %d", raw, len(raw), problem, want)
		}
	}
}

func TestCanonical(t *testing.T) {
	bounded := Param{Kind: Int, Range: Range{Min: new(int64(1)), Max: new(int64(500))}}
	zero := Param{Kind: Int, Zero: true}
	positive := Param{Kind: Int, Zero: true, Range: Range{Min: new(int64(1))}}
	folded := Param{Kind: Choice, Words: Words{Choices: []string{"M", "F"}, Fold: Upper, Pattern: "^[MFmf]$"}}
	echoed := folded
	echoed.Echo = true
	open := Param{Kind: Choice, Words: Words{Choices: []string{"saga", "sewr", "osma", "xcri"}, Fold: Lower}}
	exact := Param{Kind: Choice, Words: Words{Choices: []string{"saga", "sewr", "osma", "xcri"}, Pattern: "^(saga|sewr|osma|xcri)$"}}
	long := Param{Kind: Text, Range: Range{MinLen: 2}}
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
		{&positive, "0", "", false, TooSmall}, {&bounded, "-1", "-1", true, TooSmall}, {&bounded, "501", "501", true, TooLarge}, {&bounded, huge, huge, true, TooLarge},
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
		{&day, "20251020", "2025-10-20", true, OK}, {&day, "2025/10/20", "2025-10-20", true, OK}, {&day, "2025/10/20 ", "2025/10/20 ", true, OK}, {&day, "2025-02-30", NoDate, true, OK}, {&day, "foo", NoDate, true, OK}, {&day, "", NoDate, true, OK},
		{&optional, "", "", false, OK}, {&optional, " ", NoDate, true, OK}, {&optional, "2025-1-5", "2025-01-05", true, OK},
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
		"": 0, "0": 0, "7": 7, "-7": -7, "461168601842738790": 461168601842738790, "461168601842738791": 1 << 62, "2147483648": 2147483648, "400000000000000000": 400000000000000000,
		strings.Repeat("9", 19): 1 << 62, strings.Repeat("9", 4300): 1 << 62, "-" + strings.Repeat("9", 30): -1 << 62,
	} {
		if got := ClampInt(text); got != want {
			t.Errorf("%.30s: got %d, want %d", text, got, want)
		}
	}
}

func TestBind(t *testing.T) {
	huge := strings.Repeat("9", 100)
	for _, tt := range []struct {
		param Param
		text  string
		want  any
	}{
		{Param{Kind: Int}, "7", int64(7)}, {Param{Kind: Int}, huge, int64(1 << 62)}, {Param{Kind: Int}, "-" + huge, int64(-1 << 62)},
		{Param{Kind: Text}, "a%", "a%"}, {Param{Kind: Text, Like: true}, "a%", "%a%%"}, {Param{Kind: Choice}, "M", "M"},
		{Param{Kind: Date}, "2025-10-20", "2025-10-20"}, {Param{Kind: Date}, NoDate, nil}, {Param{Kind: Date}, "2025/10/20 ", "2025/10/20 "}, {Param{Kind: Date, Echo: true}, "2025/1/5", "2025-01-05"},
	} {
		if got := tt.param.Bind(tt.text); got != tt.want {
			t.Errorf("%.20q: got %#v, want %#v", tt.text, got, tt.want)
		}
	}
}

// TestDay: spellings that all servers read alike are parsed, and all others are left
// to the server.
func TestDay(t *testing.T) {
	for text, want := range map[string]string{
		"2025-10-20": "2025-10-20", "20251020": "2025-10-20", "2025-1-5": "2025-01-05", "2025-01-5": "2025-01-05", "2024-02-29": "2024-02-29",
		"0001-01-01": "0001-01-01", "9999-12-31": "9999-12-31", "20240229": "2024-02-29", "2025/10/20": "2025-10-20", "2025.1,5": "2025-01-05", "2025:10_20": "2025-10-20",
		"": NoDate, " ": NoDate, "-": NoDate, "foo": NoDate, "2025-02-30": NoDate, "2025-13-01": NoDate, "20250230": NoDate, "2025-10-32": NoDate,
		"２０２５-１０-２０": NoDate, "2025-99-99": NoDate,
	} {
		if day, known := Day(text); day != want || !known {
			t.Errorf("%q: %q %v, want %q", text, day, known, want)
		}
	}
	for _, text := range []string{
		"2025-10-00", "2025-00-10", "0000-01-01", "00000101", "20251000", "2025+10+20", "2025\u00a110\u00a120", "2025\xa110\xa120", "2025-10-20 ", " 2025-10-20", "20251020 ", "25-10-20",
		"251020", "2025-10-20T00:00:00", "2025", "2025-10", "2025-10-", "2025--10-20", "2025-010-20", "2025-10-020", "02025-10-20", "2025-10-2x",
		"2025-1x-20", "202x-10-20", "2025-10-20-", "2025-10-20-1", "-2025-10-20", "202510200", "2025102", "2025102x",
	} {
		if day, known := Day(text); day != "" || known {
			t.Errorf("%q: %q %v, want to leave it to the server", text, day, known)
		}
	}
}

// TestProblemKeepsOutput: an invalid text leaves the bytes before the value unchanged.
func TestProblemKeepsOutput(t *testing.T) {
	p := Param{Kind: Int, Range: Range{Max: new(int64(9))}}
	for _, raw := range []string{"x", "10", strings.Repeat("9", 4301), " " + strings.Repeat("9", 4301)} {
		if out, _, problem := p.Canonical([]byte("key="), []byte(raw)); problem == OK || !strings.HasPrefix(string(out), "key=") {
			t.Errorf("%.10q: %.20q, problem %d", raw, out, problem)
		}
	}
}

func TestFold(t *testing.T) {
	for c := range 256 {
		upper, lower := byte(c), byte(c)
		if c < 128 {
			upper, lower = strings.ToUpper(string(rune(c)))[0], strings.ToLower(string(rune(c)))[0]
		}
		if Upper(byte(c)) != upper || Lower(byte(c)) != lower {
			t.Errorf("%q: %q and %q", byte(c), Upper(byte(c)), Lower(byte(c)))
		}
	}
}

// TestChanged: a method that returns a changed copy of a parameter changes only the
// field that it names.
func TestChanged(t *testing.T) {
	p := Param{Name: "a", Kind: Date, Zero: true, Where: "a = ?", Absent: "a IS NULL", Default: "x"}
	for name, got := range map[string]Param{"Named": p.Named("b"), "On": p.On("b = ?"), "Needed": p.Needed(), "Or": p.Or("y"), "KeepZero": p.KeepZero(), "Echoed": p.Echoed()} {
		want := p
		switch name {
		case "Named":
			want.Name = "b"
		case "On":
			want.Where = "b = ?"
		case "Needed":
			want.Required, want.Default, want.Zero = true, "", false
		case "Or":
			want.Default = "y"
		case "KeepZero":
			want.Zero = false
		case "Echoed":
			want.Echo = true
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
