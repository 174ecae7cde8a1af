package param

import (
	"bytes"
	"time"
	"unicode"
	"unicode/utf8"
)

// NoDate is the canonical form of a text that is not a date. NoDate itself is not a
// date either.
const NoDate = "-"

// Day returns the day that text names, as YYYY-MM-DD, or NoDate. known is false for a
// text that only the database server can parse: servers accept many spellings of a
// date, and differ in some of them.
func Day(text string) (day string, known bool) {
	out, known := appendDay(nil, []byte(text))
	return string(out), known
}

// appendDay appends the day that raw names, or NoDate. It parses the spellings that
// all servers read alike: four, one or two, and one or two digits with a punctuation
// mark between each two, or eight digits. A text without a digit names no day on any
// server, and neither does a day beyond the end of its month.
func appendDay(dst, raw []byte) (out []byte, known bool) {
	if !bytes.ContainsAny(raw, "0123456789") {
		return append(dst, NoDate...), true
	}
	year, month, day, plain := plainDate(raw)
	if !plain || year == 0 || month == 0 || day == 0 {
		return dst, false // a table may hold the date 0000-00-00
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Month() != time.Month(month) {
		return append(dst, NoDate...), true
	}
	return t.AppendFormat(dst, time.DateOnly), true
}

// plainDate splits 2025-1-5, 2025/01/05 or 20250105.
func plainDate(s []byte) (year, month, day int, plain bool) {
	if len(s) == 8 && isDigits(s) {
		return int(ClampInt(s[:4])), int(ClampInt(s[4:6])), int(ClampInt(s[6:])), true
	}
	var parts [3]int
	for i, width := range [3]int{4, 2, 2} {
		n := len(s) - len(bytes.TrimLeft(s, "0123456789"))
		if n > width || i == 0 && n < width {
			return 0, 0, 0, false
		}
		parts[i], s = int(ClampInt(s[:n])), s[n:]
		if i < 2 {
			if len(s) == 0 || !isMark(s[0]) {
				return 0, 0, 0, false
			}
			s = s[1:]
		}
	}
	return parts[0], parts[1], parts[2], len(s) == 0
}

// isMark reports whether servers accept c between the parts of a date.
func isMark(c byte) bool { return c < utf8.RuneSelf && unicode.IsPunct(rune(c)) }
