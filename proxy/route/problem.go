package route

import (
	"fmt"
	"strings"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// problemTexts holds the texts of the API for each problem: the type, the message and
// the name of the bound that ctx repeats. Source: pydantic 2.
var problemTexts = map[store.Problem]struct{ kind, message, bound string }{
	store.Missing:         {"missing", "Field required", ""},
	store.IntParsing:      {"int_parsing", "Input should be a valid integer, unable to parse string as an integer", ""},
	store.IntParsingSize:  {"int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size", ""},
	store.TooSmall:        {"greater_than_equal", "Input should be greater than or equal to %v", "ge"},
	store.TooLarge:        {"less_than_equal", "Input should be less than or equal to %v", "le"},
	store.TooShort:        {"string_too_short", "String should have at least %v characters", "min_length"},
	store.PatternMismatch: {"string_pattern_mismatch", "String should match pattern '%v'", "pattern"},
}

// problem is a parameter whose value its endpoint does not take.
type problem struct {
	param *store.Param
	kind  store.Problem
	input []byte
}

// Refusal returns the body of the 422 for the values that Key found wrong.
func (m *Match) Refusal() []byte {
	dst := []byte(`{"detail":[`)
	for i, e := range m.problems {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendProblem(dst, e)
	}
	return append(dst, "]}"...)
}

func appendProblem(dst []byte, e problem) []byte {
	texts, place := problemTexts[e.kind], "query"
	if e.param.InPath {
		place = "path"
	}
	bound := boundOf(e)
	message := texts.message
	if bound != nil {
		message = fmt.Sprintf(message, bound)
	}
	dst = fmt.Appendf(dst, `{"type":"%s","loc":["%s","%s"],"msg":`, texts.kind, place, e.param.Name)
	dst = jsontext.AppendString(dst, message)
	dst = append(dst, `,"input":`...)
	if e.kind == store.Missing {
		return append(dst, "null}"...)
	}
	dst = jsontext.AppendString(dst, e.input)
	if bound != nil {
		dst = fmt.Appendf(dst, `,"ctx":{"%s":`, texts.bound)
		if pattern, ok := bound.(string); ok {
			dst = jsontext.AppendString(dst, pattern)
		} else {
			dst = fmt.Append(dst, bound)
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// Problems returns the values that Key found wrong in a line of text.
func (m *Match) Problems() string {
	var words []string
	for _, e := range m.problems {
		message := problemTexts[e.kind].message
		if bound := boundOf(e); bound != nil {
			message = fmt.Sprintf(message, bound)
		}
		words = append(words, e.param.Name+": "+message)
	}
	return strings.Join(words, "; ")
}

// boundOf returns the bound that the value breaks, or nil.
func boundOf(e problem) any {
	switch e.kind {
	case store.TooSmall:
		return *e.param.Min
	case store.TooLarge:
		return *e.param.Max
	case store.TooShort:
		return e.param.MinLen
	case store.PatternMismatch:
		return e.param.Pattern
	}
	return nil
}
