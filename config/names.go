package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The old API's .env may also hold these names, and names with these prefixes. A proxy
// that reads the same file ignores them.
var (
	oldNames = []string{"DEBUG", "ENVIRONMENT", "SNAPSHOT_DIR", "DEFAULT_SEASON_YEAR", "DEFAULT_LIMIT",
		"MAX_LIMIT", "DATABASE_POOL_SIZE"}
	oldPrefix = regexp.MustCompile(`^(API|GITHUB|FEEDBACK)_`)
)

func isKnown(name string) bool {
	_, ok := keyNamed(name)
	return ok || slices.Contains(oldNames, name)
}

// checkFileName returns an error if a name in the env file is neither a key nor a name
// of the old API.
func checkFileName(name string) error {
	switch {
	case name == envFileName:
		return fmt.Errorf("%s cannot be set in the env file itself", name)
	case isKnown(name), oldPrefix.MatchString(name) && !isNearMiss(name):
		return nil
	}
	return unknown(name)
}

// misspelt returns a problem for each environment variable that resembles a key. It ignores
// all other names.
func misspelt(envNames []string) (problems []error) {
	for _, name := range envNames {
		if !isKnown(name) && isNearMiss(name) {
			problems = append(problems, fmt.Errorf("%w (environment)", unknown(name)))
		}
	}
	return problems
}

func unknown(name string) error {
	if known := nearestKey(name); known != "" {
		return fmt.Errorf("unknown key %s, did you mean %s?", name, known)
	}
	return fmt.Errorf("unknown key %s", name)
}

// isNearMiss reports whether name differs from a key by one typing error, or by two
// after the same first word. A short rest such as HOST may differ by one only:
// otherwise names in real use such as DATABASE_POOL would count as DATABASE_PORT.
func isNearMiss(name string) bool {
	return slices.ContainsFunc(keys, func(k Key) bool {
		prefix, rest, _ := strings.Cut(k.Name, "_")
		limit := 1
		if len(rest) >= 7 {
			limit = 2
		}
		if !strings.HasPrefix(name, prefix+"_") {
			limit = 1
		}
		return strings.Contains(name, "_") && distance(name, k.Name) <= limit
	})
}

// Nearest returns the most similar of the known names, or "" if no known name is
// similar.
func Nearest(name string, known ...string) string {
	best, least := "", len(name)/2+1
	for _, k := range known {
		d := distance(name, k)
		// DATABASE_PASS is nearer to DATABASE_PASSWORD than to DATABASE_PORT.
		if strings.HasPrefix(k, name) || strings.HasPrefix(name, k) {
			d = min(d, 1)
		}
		if d < least {
			best, least = k, d
		}
	}
	return best
}

// nearestKey returns the key most similar to name, or "".
func nearestKey(name string) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	return Nearest(name, names...)
}

// distance returns the least number of letters to add, remove, change or swap with a
// neighbour to turn a into b.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
