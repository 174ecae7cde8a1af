package param

import (
	"bytes"
	"time"
	"unicode"
)

// NoDate is the canonical form of a text that is no date. It is no date itself.
const NoDate = "-"

// appendDate appends raw as YYYY-MM-DD, or NoDate. It reads the spellings that
// MariaDB takes for a DATE with a year of four digits: 20251020, and year,
// month and day with any punctuation between them.
// Source: MariaDB documentation, "Date and Time Literals"; TestDates holds it
// against a server.
func appendDate(dst, raw []byte) []byte {
	s := bytes.Trim(raw, " \t\n\v\f\r") // the server skips no other space
	var parts [3]int
	if len(s) == 8 && isDigits(s) {
		parts = [3]int{int(ClampInt(s[:4])), int(ClampInt(s[4:6])), int(ClampInt(s[6:]))}
	} else {
		for i, width := range [3]int{4, 2, 2} {
			n := len(s) - len(bytes.TrimLeft(s, "0123456789"))
			if n == 0 || n > width || i == 0 && n != width {
				return append(dst, NoDate...)
			}
			parts[i], s = int(ClampInt(s[:n])), s[n:]
			if i < 2 && len(s) > 0 && unicode.IsPunct(rune(s[0])) {
				s = s[1:]
			} else if i < 2 || len(s) > 0 {
				return append(dst, NoDate...)
			}
		}
	}
	t := time.Date(parts[0], time.Month(parts[1]), parts[2], 0, 0, 0, 0, time.UTC)
	if t.Month() != time.Month(parts[1]) || t.Day() != parts[2] {
		return append(dst, NoDate...) // a month or day that the year does not have
	}
	return t.AppendFormat(dst, time.DateOnly)
}

// Day returns the day that text names, as YYYY-MM-DD, or NoDate.
func Day(text string) string { return string(appendDate(nil, []byte(text))) }
