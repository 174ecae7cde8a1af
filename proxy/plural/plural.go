// Package plural writes numbers with their nouns: 1 entry, 2 entries.
package plural

import (
	"strconv"
	"strings"
)

// Of returns a number with a noun, whose singular is given.
func Of[N int | int64](n N, noun string) string {
	text := strconv.FormatInt(int64(n), 10) + " "
	if n == 1 {
		return text + noun
	}
	return text + many(noun)
}

// many returns the plural of a regular noun.
func many(noun string) string {
	stem, isY := strings.CutSuffix(noun, "y")
	switch {
	case isY && stem != "" && !strings.ContainsAny(stem[len(stem)-1:], "aeiou"):
		return stem + "ies"
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "ch"), strings.HasSuffix(noun, "x"):
		return noun + "es"
	}
	return noun + "s"
}
