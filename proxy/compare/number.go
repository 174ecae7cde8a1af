package compare

import (
	"bytes"
	"math"
	"strconv"
)

// exactDigits is how many digits of a decimal every float64 keeps, within the
// powers of ten that exactPower allows.
const exactDigits, exactPower = 15, 290

// appendDecimal appends one text for all spellings of a number: its digits
// without zeros at either end, and the power of ten that they are multiplied by.
// What is no whole number is first rounded to a float64.
func appendDecimal(dst []byte, v value) []byte {
	d, ok := parseDecimal(v)
	if ok && d.power < 0 && (len(d.digits) > exactDigits || d.power < -exactPower) {
		f, _ := strconv.ParseFloat(string(v), 64)
		if !math.IsInf(f, 0) { // or it is too large to be rounded
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

// number is digits times ten to the power. There are no zeros at either end of
// the digits; zero has none and no sign.
type number struct {
	negative bool
	digits   []byte
	power    int
}

// parseDecimal reads a number without rounding. It returns false for a power
// beyond all reason.
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
