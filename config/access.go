package config

import (
	"errors"
	"strings"
)

// Access configures the access log.
type Access struct {
	Log    string // path of the file, or stdout; empty = none
	Format string // combined or json
	Size   int64  // at which the file is rotated
	Files  int    // rotated files that are kept
}

func parseAccessFormat(text string) (string, error) {
	switch format := strings.ToLower(text); format {
	case "combined", "json":
		return format, nil
	}
	return "", errors.New("must be combined or json")
}
