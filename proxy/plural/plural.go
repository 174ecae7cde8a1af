// Package plural writes numbers with their nouns: 1 entry, 2 entries.
package plural

import (
	"strconv"
	"strings"
)

// Of returns a number with a noun, whose singular is given.
func Of[N int | int64](n N, noun string) string {
	return strconv.FormatInt(int64(n), 10) + " " + Word(n, noun, many(noun))
}

// Word returns the form of a word that goes with a number.
func Word[N int | int64](n N, one, many string) string {
	if n == 1 {
		return one
	}
	return many
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
