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

// The patterns follow python-dotenv's. space is what Python's \s means for text.
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

// readEnvFile returns the settings of the named file by key name. It refuses
// whatever it cannot read and any key that belongs neither to the proxy nor to
// the old API.
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

// assignment is one KEY=value of an env file, or what is wrong with it.
type assignment struct {
	name, value string
	line        int
	err         error
}

// parseEnvFile reads KEY=value lines as python-dotenv does. We have our own
// parser because the old API reads the same file with python-dotenv, and one
// file must mean one thing: hashicorp/go-envparse cuts an unquoted value at any
// #, and joho/godotenv expands a bare $, so a password with either would change
// without a word. Unlike python-dotenv, a line it would skip with a warning is
// an error. Messages never quote a line, since it may hold a secret.
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

// expand replaces ${NAME} and ${NAME:-default}, in quotes or not; a value of the
// file goes before the environment. Any other $ stays as it is.
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

// scanner walks through the text of an env file.
type scanner struct {
	rest string
	line int
}

// take moves over what re matches at the current place and returns its groups
// joined, of which at most one is not empty.
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

// quoteForFile writes a value so that parseEnvFile reads it back, in quotes only
// where it must: an empty one, too, else a comment behind it became the value.
func quoteForFile(value string) string {
	if value != "" && !special.MatchString(value) {
		return value
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
