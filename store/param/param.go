// Package param reads the text of the read API's parameters by the rules of the
// old API, and holds the SQL condition that each parameter stands for.
package param

import (
	"bytes"
	"unicode/utf8"
)

// Kind is the way in which a parameter's text is parsed and compared.
type Kind uint8

// The kinds of parameters.
const (
	Int    Kind = iota // an integer of any size, as Python reads one
	Text               // any text
	Choice             // one of Param.Choices
	Date               // a calendar date; other text matches no row
)

// Param describes one parameter of an Endpoint: its name, its permitted values, and
// the SQL condition that it stands for. All fields but Name may be zero.
type Param struct {
	Name string
	Kind Kind

	InPath   bool   // a segment of the path, otherwise of the query
	Required bool   // a request without it is invalid
	Default  string // value of a request without it, in canonical form

	// Zero makes the Int 0, and an empty Text or Date, mean "not given".
	Zero bool
	Range
	Words
	// Echo keeps the original text, because the answer repeats it.
	Echo bool

	// Where is the SQL condition for a value, with ? for each use of the value, and
	// Absent the condition for an absent value. Like matches the value as a part of a
	// text.
	Where, Absent string
	Like          bool
}

// Range bounds the values of a parameter. Min and Max bound an Int, where they are
// set; MinLen is the least number of characters of a Text.
type Range struct {
	Min, Max *int64
	MinLen   int
}

// Words are the values of a Choice, in canonical form; Fold maps a letter to its
// canonical case; Pattern is the rule in the words of the API's errors. Without a
// Pattern other text is valid and stays unchanged.
type Words struct {
	Choices []string
	Fold    func(byte) byte
	Pattern string
}

// Problem is the reason why a parameter's text is invalid; OK means that it is valid.
type Problem uint8

// The problems, named as the API names them in its 422 answers.
const (
	OK Problem = iota
	Missing
	IntParsing
	IntParsingSize
	TooSmall
	TooLarge
	TooShort
	PatternMismatch
)

// maxDigits is the length of the longest integer that the API reads, with its sign.
// Source: pydantic-core, after Python's own limit.
const maxDigits = 4300

// Canonical appends the canonical form of raw to dst: the same bytes for all spellings
// of one value. given is false if raw means that the parameter is absent. Neither
// slice is kept.
func (p *Param) Canonical(dst, raw []byte) (out []byte, given bool, problem Problem) {
	start := len(dst)
	switch p.Kind {
	case Int:
		dst, problem = appendInt(dst, raw)
		if problem == OK {
			problem = p.bounds(dst[start:])
		}
		if p.Zero && string(dst[start:]) == "0" {
			return dst[:start], false, problem
		}
		return dst, true, problem
	case Choice:
		return p.choice(dst, raw)
	}
	if p.Zero && len(raw) == 0 {
		return dst, false, OK
	}
	if p.Kind == Date && !p.Echo {
		if day, known := appendDay(dst, raw); known {
			return day, true, OK
		}
		return append(dst, raw...), true, OK
	}
	if utf8.RuneCount(raw) < p.MinLen {
		problem = TooShort
	}
	return append(dst, raw...), true, problem
}

func (p *Param) choice(dst, raw []byte) ([]byte, bool, Problem) {
	start := len(dst)
	for _, c := range raw {
		if p.Fold != nil {
			c = p.Fold(c)
		}
		dst = append(dst, c)
	}
	for _, c := range p.Choices {
		if string(dst[start:]) == c {
			if p.Echo {
				dst = append(dst[:start], raw...)
			}
			return dst, true, OK
		}
	}
	dst = append(dst[:start], raw...)
	if p.Pattern != "" {
		return dst, true, PatternMismatch
	}
	return dst, true, OK
}

// bounds compares a canonical integer with Min and Max.
func (p *Param) bounds(digits []byte) Problem {
	n := ClampInt(digits)
	switch {
	case p.Min != nil && n < *p.Min:
		return TooSmall
	case p.Max != nil && n > *p.Max:
		return TooLarge
	}
	return OK
}

// appendInt appends the canonical decimal form of raw, read by the rules of
// the old API: surrounding space, a plus sign, leading zeros, a fraction of
// zeros and single underscores between digits are allowed.
// Source: pydantic-core, src/input/shared.rs, str_as_int.
func appendInt(dst, raw []byte) ([]byte, Problem) {
	s, negative := bytes.CutPrefix(raw, []byte("-"))
	if isDigits(s) && (s[0] != '0' || len(s) == 1) {
		if len(raw) > maxDigits { // the sign counts
			return dst, IntParsingSize
		}
	} else if s, negative = cleanInt(raw); s == nil {
		return dst, IntParsing
	}
	start := len(dst)
	if negative && string(s) != "0" {
		dst = append(dst, '-')
	}
	if dst = append(dst, s...); len(dst)-start > maxDigits {
		return dst[:start], IntParsing
	}
	return dst, OK
}

// cleanInt parses the unusual spellings of an integer and returns its digits without
// leading zeros, or nil.
func cleanInt(s []byte) (digits []byte, negative bool) {
	s = bytes.TrimSpace(s)
	s, plus := bytes.CutPrefix(s, []byte("+"))
	s, negative = bytes.CutPrefix(s, []byte("-"))
	if plus && negative {
		return nil, false
	}
	s = trimZeros(s)
	if whole, fraction, dot := bytes.Cut(s, []byte(".")); dot {
		if len(fraction) == 0 || len(bytes.Trim(fraction, "0")) > 0 {
			return nil, false
		}
		s = whole
	}
	if bytes.HasPrefix(s, []byte("_")) || bytes.HasSuffix(s, []byte("_")) || bytes.Contains(s, []byte("__")) {
		return nil, false
	}
	if s = bytes.ReplaceAll(s, []byte("_"), nil); !isDigits(s) {
		return nil, false
	}
	return s, negative
}

// trimZeros drops leading zeros, and underscores among them, except the last zero
// of a number that is zero.
func trimZeros(s []byte) []byte {
	if len(s) == 0 || s[0] != '0' {
		return s
	}
	for i, c := range s {
		switch c {
		case '0', '_':
		case '.':
			return s[i-1:]
		default:
			return s[i:]
		}
	}
	return s[len(s)-1:]
}

func isDigits(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) > 0
}

// ClampInt returns the value of a canonical integer. If the absolute value exceeds 2^62/10,
// it returns 2^62 with the sign of the integer: no column holds values that large, so the
// comparison gives the same result.
func ClampInt[T ~string | ~[]byte](digits T) int64 {
	const limit = 1 << 62
	var n int64
	negative := len(digits) > 0 && digits[0] == '-'
	for i := range len(digits) {
		if c := digits[i]; c != '-' {
			if n = n*10 + int64(c-'0'); n > limit/10 {
				n = limit
				break
			}
		}
	}
	if negative {
		return -n
	}
	return n
}

// Bind returns the SQL value of a canonical text.
func (p *Param) Bind(text string) any {
	switch {
	case p.Kind == Int:
		return ClampInt(text)
	case p.Kind == Date:
		switch day, known := Day(text); {
		case !known:
			return text
		case day == NoDate:
			return nil // NULL equals no value
		default:
			return day
		}
	case p.Like:
		return "%" + text + "%"
	}
	return text
}

// Upper maps an ASCII letter to upper case.
func Upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// Lower maps an ASCII letter to lower case.
func Lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// The methods below return a changed copy, for a table of endpoints.

// Named returns p under another name.
func (p Param) Named(name string) Param { p.Name = name; return p }

// On returns p with another SQL condition.
func (p Param) On(where string) Param { p.Where = where; return p }

// Needed returns p as a required parameter.
func (p Param) Needed() Param { p.Required, p.Default, p.Zero = true, "", false; return p }

// Or returns p with another default.
func (p Param) Or(text string) Param { p.Default = text; return p }

// KeepZero returns p with 0 and the empty text as values instead of "not given".
func (p Param) KeepZero() Param { p.Zero = false; return p }

// Echoed returns p with its original text kept.
func (p Param) Echoed() Param { p.Echo = true; return p }
