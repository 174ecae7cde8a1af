package compare

import (
	"bytes"
	"math"
	"strconv"
)

// exactDigits is the number of decimal digits that a float64 always preserves, within
// the powers of ten that exactPower allows.
const exactDigits, exactPower = 15, 290

// appendDecimal appends a canonical text of a number: its digits without leading and
// trailing zeros, and the power of ten by which they are multiplied. A number that is
// not an integer is first rounded to a float64.
func appendDecimal(dst []byte, v value) []byte {
	d, ok := parseDecimal(v)
	if ok && d.power < 0 && (len(d.digits) > exactDigits || d.power < -exactPower) {
		f, _ := strconv.ParseFloat(string(v), 64)
		if !math.IsInf(f, 0) { // otherwise it is too large for a float64
			d, _ = parseDecimal(strconv.AppendFloat(nil, f, 'e', -1, 64))
		}
	}
	if !ok {
		return append(dst, v...)
	}
	if d.negative {
		dst = append(dst, '-')
	}
	return strconv.AppendInt(append(append(dst, d.digits...), 'e'), int64(d.power), 10)
}

// number is digits times ten to the power. The digits have no leading and trailing
// zeros; zero has no digits and no sign.
type number struct {
	negative bool
	digits   []byte
	power    int
}

// parseDecimal parses a number without rounding. It returns false if the power is too
// large.
func parseDecimal(text []byte) (d number, ok bool) {
	text, d.negative = bytes.CutPrefix(text, []byte("-"))
	if at := bytes.IndexAny(text, "eE"); at >= 0 {
		power, err := strconv.ParseInt(string(text[at+1:]), 10, 32)
		if err != nil {
			return d, false
		}
		text, d.power = text[:at], int(power)
	}
	before, after, _ := bytes.Cut(text, []byte("."))
	d.power -= len(after)
	d.digits = before
	if len(after) > 0 {
		d.digits = append(append(make([]byte, 0, len(text)), before...), after...)
	}
	d.digits = bytes.TrimLeft(d.digits, "0")
	short := bytes.TrimRight(d.digits, "0")
	if len(short) == 0 {
		return number{}, true
	}
	d.power += len(d.digits) - len(short)
	d.digits = short
	return d, true
}
