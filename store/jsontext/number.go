package jsontext

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
)

// Number is an exact decimal: units / 10^scale. The zero Number is not valid;
// ParseNumber makes one. Numbers are immutable.
type Number struct {
	units *big.Int
	scale int
}

// ParseNumber reads the text of a DECIMAL. Other text is zero.
func ParseNumber(text []byte) Number {
	whole, fraction, _ := bytes.Cut(text, []byte("."))
	units, ok := new(big.Int).SetString(string(whole)+string(fraction), 10)
	if !ok {
		units = new(big.Int)
	}
	return Number{units, len(fraction)}
}

// Text returns n with all its digits.
func (n Number) Text() []byte {
	s := n.units.Text(10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for len(s) <= n.scale {
		s = "0" + s
	}
	return []byte(sign + s[:len(s)-n.scale] + "." + s[len(s)-n.scale:])
}

// IsZero reports whether n is zero.
func (n Number) IsZero() bool { return n.units.Sign() == 0 }

func (n Number) float() float64 {
	f, _ := strconv.ParseFloat(string(n.Text()), 64)
	return f
}

// rescaled returns the units of n at a scale not below its own.
func (n Number) rescaled(scale int) *big.Int {
	factor := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-n.scale)), nil)
	return factor.Mul(factor, n.units)
}

// Sum returns the exact sum of numbers.
func Sum(numbers []Number) Number {
	sum := Number{new(big.Int), 0}
	for _, n := range numbers {
		scale := max(sum.scale, n.scale)
		sum = Number{new(big.Int).Add(sum.rescaled(scale), n.rescaled(scale)), scale}
	}
	return sum
}

// meanDigits is how many digits AVG adds to the digits of its column.
// Source: div_precision_increment, which is 4 unless a session changes it.
const meanDigits = 4

// AppendMean appends sum/n, for a column of the given scale, as AVG yields it.
// The mean of no numbers is null.
func AppendMean(dst []byte, sum Number, n int64, scale int) []byte {
	if n == 0 {
		return append(dst, "null"...)
	}
	scale += meanDigits
	units := sum.rescaled(max(scale, sum.scale))
	return AppendDecimal(dst, Number{divideRounded(units, n), max(scale, sum.scale)}.Text())
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

// deviationDigits is how many decimals MariaDB shows of the deviation of a
// DECIMAL with four.
const deviationDigits = 8

// AppendDeviation appends the square root of the population's variance, as
// MariaDB's STDDEV yields it for a DECIMAL with four decimals. The deviation of
// no numbers is null.
func AppendDeviation(dst []byte, numbers []Number) []byte {
	if len(numbers) == 0 {
		return append(dst, "null"...)
	}
	mean, squares := 0.0, 0.0
	for i, n := range numbers { // Welford's recurrence, as the server computes it
		x := n.float()
		delta := x - mean
		mean += delta / float64(i+1)
		squares += delta * (x - mean)
	}
	return AppendRounded(dst, math.Sqrt(squares/float64(len(numbers))), deviationDigits)
}

// AppendPercent appends part of whole in percent with one decimal, rounded half
// up, as ROUND(part * 100.0 / whole, 1).
func AppendPercent(dst []byte, part, whole int64) []byte {
	return AppendDecimal(dst, Number{divideRounded(big.NewInt(part*1000), whole), 1}.Text())
}
