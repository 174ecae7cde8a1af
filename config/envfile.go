package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

const maxEnvFile = 1 << 20

// The patterns follow python-dotenv's. space matches the characters that Python's \s
// matches in text.
const (
	blank = `[\t\v\f\x1c-\x1f\x{85}\p{Z}]`
	space = `\n` + `\t\v\f\x1c-\x1f\x{85}\p{Z}`
)

var (
	gap          = regexp.MustCompile(`^(?:[` + space + `]+|#[^\n]*)*`)
	nameAndEqual = regexp.MustCompile(`^(?:export` + blank + `+)?(?:'([^']+)'|([^'=#` + space + `][^=#` + space + `]*))` + blank + `*=` + blank + `*`)
	singleQuoted = regexp.MustCompile(`^'((?:\\'|[^'])*)'`)
	doubleQuoted = regexp.MustCompile(`^"((?:\\"|[^"])*)"`)
	unquoted     = regexp.MustCompile(`^([^\n]*)`)
	unquotedEnd  = regexp.MustCompile(`[` + space + `]+(?:#.*)?$`)
	lineEnd      = regexp.MustCompile(`^` + blank + `*(?:#[^\n]*)?(?:\n|\z)`)
	restOfLine   = regexp.MustCompile(`^[^\n]*\n?`)
	special      = regexp.MustCompile(`[` + space + `#'"]`)
	variable     = regexp.MustCompile(`\$\{([^}:]*)(?::-([^}]*))?\}`)

	singleEscapes = strings.NewReplacer(`\\`, `\`, `\'`, `'`)
	doubleEscapes = strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`,
		`\a`, "\a", `\b`, "\b", `\f`, "\f", `\n`, "\n", `\r`, "\r", `\t`, "\t", `\v`, "\v")
	newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")
)

// readEnvFile returns the settings of the named file by key name. It refuses lines
// that it cannot parse, and keys that belong neither to the proxy nor to the old API.
func readEnvFile(path setting, lookupEnv func(string) (string, bool)) (map[string]setting, []error) {
	text, err := readText(path.text)
	if err != nil {
		envFile, _ := keyNamed(envFileName)
		return nil, []error{envFile.problem(path, err)}
	}
	file := map[string]setting{}
	var problems []error
	for _, a := range parseEnvFile(text, lookupEnv) {
		place := fmt.Sprintf("%s:%d", path.text, a.line)
		name := strings.ToUpper(a.name)
		err := a.err
		if err == nil {
			err = checkFileName(name)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", place, err))
			continue
		}
		file[name] = setting{a.value, place}
	}
	return file, problems
}

func readText(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEnvFile+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > maxEnvFile:
		return "", errors.New("must be a file of at most 1 MB")
	case !utf8.Valid(data):
		return "", errors.New("must be a file in UTF-8")
	}
	return strings.TrimPrefix(string(data), "\ufeff"), nil
}

// assignment is one KEY=value of an env file, or the problem with it.
type assignment struct {
	name, value string
	line        int
	err         error
}

// parseEnvFile reads KEY=value lines as python-dotenv does. It exists because the old
// API reads the same file with python-dotenv, and both must read the same values:
// hashicorp/go-envparse cuts an unquoted value at any #, and joho/godotenv expands a
// bare $, so both would silently change a password with either character. A line that
// python-dotenv would skip with a warning is an error here. Messages never quote a
// line, since it may hold a secret.
func parseEnvFile(text string, lookupEnv func(string) (string, bool)) (list []assignment) {
	s := scanner{rest: newlines.Replace(text), line: 1}
	earlier := map[string]string{}
	for {
		s.take(gap)
		if s.rest == "" {
			return list
		}
		a := s.assignment()
		if a.err == nil {
			a.value = expand(a.value, earlier, lookupEnv)
			earlier[a.name] = a.value
		} else {
			s.take(restOfLine)
		}
		list = append(list, a)
	}
}

// expand replaces ${NAME} and ${NAME:-default}, in quotes or not. A value of the file
// wins over the environment. Any other $ is kept.
func expand(value string, earlier map[string]string, lookupEnv func(string) (string, bool)) string {
	return variable.ReplaceAllStringFunc(value, func(match string) string {
		m := variable.FindStringSubmatch(match)
		if v, ok := earlier[m[1]]; ok {
			return v
		}
		if v, ok := lookupEnv(m[1]); ok {
			return v
		}
		return m[2]
	})
}

// scanner scans the text of an env file.
type scanner struct {
	rest string
	line int
}

// take consumes the match of re at the current position and returns its groups joined,
// of which at most one is not empty.
func (s *scanner) take(re *regexp.Regexp) (string, bool) {
	m := re.FindStringSubmatch(s.rest)
	if m == nil {
		return "", false
	}
	s.line += strings.Count(m[0], "\n")
	s.rest = s.rest[len(m[0]):]
	return strings.Join(m[1:], ""), true
}

func (s *scanner) assignment() assignment {
	a := assignment{line: s.line}
	var ok bool
	if a.name, ok = s.take(nameAndEqual); !ok {
		a.err = errors.New("must be KEY=value, a comment or empty")
	} else if a.value, ok = s.value(); !ok {
		a.err = fmt.Errorf("%s has an opening quote but no closing one", a.name)
	} else if _, ok = s.take(lineEnd); !ok {
		a.err = fmt.Errorf("%s has text after its closing quote", a.name)
	}
	return a
}

func (s *scanner) value() (string, bool) {
	switch {
	case strings.HasPrefix(s.rest, "'"):
		v, ok := s.take(singleQuoted)
		return singleEscapes.Replace(v), ok
	case strings.HasPrefix(s.rest, `"`):
		v, ok := s.take(doubleQuoted)
		return doubleEscapes.Replace(v), ok
	}
	v, _ := s.take(unquoted)
	return unquotedEnd.ReplaceAllString(v, ""), true
}

// quoteForFile formats a value so that parseEnvFile reads it back. It quotes only
// where necessary; an empty value is quoted too, since a comment after it would become
// the value.
func quoteForFile(value string) string {
	if value != "" && !special.MatchString(value) {
		return value
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
