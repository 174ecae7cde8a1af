package proxy

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// problemTexts are what the API says of each problem: the type, the message
// and the name of the bound that it repeats in ctx. Source: pydantic 2.
var problemTexts = map[store.Problem]struct{ kind, message, bound string }{
	store.Missing:         {"missing", "Field required", ""},
	store.IntParsing:      {"int_parsing", "Input should be a valid integer, unable to parse string as an integer", ""},
	store.IntParsingSize:  {"int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size", ""},
	store.TooSmall:        {"greater_than_equal", "Input should be greater than or equal to %v", "ge"},
	store.TooLarge:        {"less_than_equal", "Input should be less than or equal to %v", "le"},
	store.TooShort:        {"string_too_short", "String should have at least %v characters", "min_length"},
	store.PatternMismatch: {"string_pattern_mismatch", "String should match pattern '%v'", "pattern"},
}

// appendProblems appends the body of a 422.
func appendProblems(dst []byte, errors []paramError) []byte {
	dst = append(dst, `{"detail":[`...)
	for i, e := range errors {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendProblem(dst, e)
	}
	return append(dst, "]}"...)
}

func appendProblem(dst []byte, e paramError) []byte {
	texts, place := problemTexts[e.problem], "query"
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
	if e.problem == store.Missing {
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

// boundOf returns the bound that the value breaks, or nil.
func boundOf(e paramError) any {
	switch e.problem {
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
