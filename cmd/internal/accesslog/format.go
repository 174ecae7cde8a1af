package accesslog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// Format is the format of an access log.
type Format string

// The formats that a Log writes. Parse reads both.
const (
	// Combined is Apache's combined format, with the outcome, the time to the answer in
	// seconds and the request ID after it; a - stands for a missing value.
	Combined Format = "combined"
	// JSON is an api.Request a line.
	JSON Format = "json"
)

// appendLine appends the line of a request.
func (f Format) appendLine(to []byte, r *api.Request) []byte {
	if f == JSON {
		return appendJSON(to, r)
	}
	return appendCombined(to, r)
}

func appendJSON(to []byte, r *api.Request) []byte {
	line := bytes.NewBuffer(to)
	enc := json.NewEncoder(line)
	enc.SetEscapeHTML(false) // keep the & of a target
	if err := enc.Encode(r); err != nil {
		panic(err) // numbers and strings
	}
	return line.Bytes()
}

func appendCombined(to []byte, r *api.Request) []byte {
	to = appendWord(to, r.Client)
	to = r.At.AppendFormat(append(to, " - - ["...), timeFormat)
	to = escape(append(to, `] "`...), r.Method)
	to = escape(append(to, ' '), r.Target)
	to = escape(append(to, ' '), r.Proto)
	to = fmt.Appendf(to, `" %d `, r.Status)
	if r.Bytes < 0 {
		to = append(to, '-')
	} else {
		to = strconv.AppendInt(to, r.Bytes, 10)
	}
	to = appendQuoted(append(to, ' '), r.Referer)
	to = appendQuoted(append(to, ' '), r.Agent)
	to = appendWord(append(to, ' '), r.Outcome)
	to = strconv.AppendFloat(append(to, ' '), r.TookMS/1000, 'f', 6, 64)
	return append(appendWord(append(to, ' '), r.ID), '\n')
}

// appendWord appends a text that has no spaces.
func appendWord(to []byte, text string) []byte {
	if text == "" {
		return append(to, '-')
	}
	return escape(to, text)
}

func appendQuoted(to []byte, text string) []byte {
	to = append(to, '"')
	if text == "" {
		text = "-"
	}
	return append(escape(to, text), '"')
}

// escape appends a text of a client in printable ASCII, so that it ends neither a quoted
// text nor a line. Source: Apache's ap_escape_logitem.
func escape(to []byte, text string) []byte {
	const hex = "0123456789abcdef"
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"', c == '\\':
			to = append(to, '\\', c)
		case c < ' ' || c >= 0x7f:
			to = append(to, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			to = append(to, c)
		}
	}
	return to
}
