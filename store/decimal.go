package store

import (
	"bytes"
	"database/sql/driver"
	"math/big"
	"strconv"
	"time"
)

// decimalNumber is an exact decimal: units / 10^scale.
type decimalNumber struct {
	units *big.Int
	scale int
}

// parseDecimal reads a DECIMAL; NULL is zero.
func parseDecimal(v driver.Value) decimalNumber {
	whole, fraction, _ := bytes.Cut([]byte(asText(v)), []byte("."))
	units, ok := new(big.Int).SetString(string(whole)+string(fraction), 10)
	if !ok {
		units = new(big.Int)
	}
	return decimalNumber{units, len(fraction)}
}

func (d decimalNumber) text() []byte {
	s := d.units.Text(10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for len(s) <= d.scale {
		s = "0" + s
	}
	return []byte(sign + s[:len(s)-d.scale] + "." + s[len(s)-d.scale:])
}

func (d decimalNumber) float() float64 {
	f, _ := strconv.ParseFloat(string(d.text()), 64)
	return f
}

// rescaled returns the units of d at a scale not below its own.
func (d decimalNumber) rescaled(scale int) *big.Int {
	factor := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-d.scale)), nil)
	return factor.Mul(factor, d.units)
}

func sumOf(numbers []decimalNumber) decimalNumber {
	sum := decimalNumber{new(big.Int), 0}
	for _, n := range numbers {
		scale := max(sum.scale, n.scale)
		sum = decimalNumber{new(big.Int).Add(sum.rescaled(scale), n.rescaled(scale)), scale}
	}
	return sum
}

// meanDigits is how many digits AVG adds to those of its column.
// Source: div_precision_increment, which is 4 unless a session changes it.
const meanDigits = 4

// appendMean appends sum/n, for a column of the given scale, as AVG yields it;
// the mean of nothing is null.
func appendMean(dst []byte, sum decimalNumber, n int64, scale int) []byte {
	if n == 0 {
		return append(dst, "null"...)
	}
	scale += meanDigits
	units := sum.rescaled(max(scale, sum.scale))
	return appendFloat(dst, decimalNumber{divideRounded(units, n), max(scale, sum.scale)}.text())
}

// divideRounded divides and rounds half away from zero.
func divideRounded(units *big.Int, n int64) *big.Int {
	double := new(big.Int).Lsh(units, 1)
	divisor := big.NewInt(2 * n)
	if units.Sign() < 0 {
		double.Sub(double, big.NewInt(n))
	} else {
		double.Add(double, big.NewInt(n))
	}
	return double.Quo(double, divisor)
}

// appendRounded appends f rounded to digits decimals as Python's round and repr
// do.
func appendRounded(dst []byte, f float64, digits int) []byte {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
	return AppendFloat(dst, rounded)
}

// longDate writes 2025-10-05 as October 05, 2025.
func longDate(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.Format("January 02, 2006")
}

// appendPercent appends part of whole in percent with one decimal, rounded half
// up, as ROUND(part * 100.0 / whole, 1).
func appendPercent(dst []byte, part, whole int64) []byte {
	return appendFloat(dst, decimalNumber{divideRounded(big.NewInt(part*1000), whole), 1}.text())
}
