package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxTargets is how many targets are counted at once. Where a log holds
	// more, those seen least so far are forgotten: what is asked for often
	// stays, whatever the size of the log.
	maxTargets = 50_000
	// maxTarget is the longest target that is counted, and maxLine the longest
	// line that is read, in bytes.
	maxTarget = 1 << 10
	maxLine   = 64 << 10
)

// logCount is what an access log says.
type logCount struct {
	Lines     int `json:"lines"`     // in all
	Malformed int `json:"malformed"` // of them, skipped
	Counted   int `json:"counted"`   // of them, requests for the API that were answered
	Keys      int `json:"keys"`      // answers that the proxy was asked to load
	Ignored   int `json:"ignored"`   // targets that are not the API's, or were refused

	prefix string // of the targets that count
	most   int    // targets held at once
	asked  map[string]int
}

// newLogCount returns a count of the requests for the API, below base + "/api".
func newLogCount(base string) *logCount {
	return &logCount{prefix: base + "/api/", most: maxTargets, asked: map[string]int{}}
}

// readFile counts what is in a file, see readLogFile.
func (l *logCount) readFile(name string, stdin io.Reader) error {
	return readLogFile(name, stdin, l.add)
}

// read counts the lines of a log.
func (l *logCount) read(from io.Reader) error { return readLog(from, l.add) }

// add counts one line.
func (l *logCount) add(e logEntry, ok bool) {
	l.Lines++
	switch {
	case !ok:
		l.Malformed++
	case e.answered() && strings.HasPrefix(e.target, l.prefix) && len(e.target) <= maxTarget:
		l.Counted++
		l.count(sortedQuery(e.target))
	}
}

// readLogFile tells each what is in a file: compressed if its name ends in .gz,
// stdin if it is "-".
func readLogFile(name string, stdin io.Reader, each func(e logEntry, ok bool)) error {
	if name == "-" {
		return readLog(stdin, each)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if from, err = gzip.NewReader(f); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := readLog(from, each); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// readLog reads a log in Apache's common or combined format and tells each what
// its lines say, in their order; ok is false for a line that is malformed.
func readLog(from io.Reader, each func(e logEntry, ok bool)) error {
	lines := bufio.NewReaderSize(from, maxLine)
	for {
		line, tooLong, err := lines.ReadLine()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		whole := !tooLong
		entry, ok := parseLogLine(line)
		for tooLong && err == nil {
			_, tooLong, err = lines.ReadLine()
		}
		each(entry, ok && whole)
	}
}

func (l *logCount) count(target string) {
	l.asked[target]++
	for least := 1; len(l.asked) > l.most; least *= 2 {
		maps.DeleteFunc(l.asked, func(_ string, n int) bool { return n <= least })
	}
}

// top returns the n targets asked for most, most first.
func (l *logCount) top(n int) []string {
	targets := slices.Collect(maps.Keys(l.asked))
	slices.SortFunc(targets, func(a, b string) int {
		return cmp.Or(cmp.Compare(l.asked[b], l.asked[a]), cmp.Compare(a, b))
	})
	return targets[:min(n, len(targets))]
}

// sortedQuery puts the parameters of a target in order, so that requests that
// differ in nothing else count as one. Repeated ones stay as they are: the last
// counts.
func sortedQuery(target string) string {
	path, query, found := strings.Cut(target, "?")
	if !found || !strings.Contains(query, "&") {
		return target
	}
	pairs := strings.Split(query, "&")
	slices.SortStableFunc(pairs, func(a, b string) int {
		a, _, _ = strings.Cut(a, "=")
		b, _, _ = strings.Cut(b, "=")
		return strings.Compare(a, b)
	})
	return path + "?" + strings.Join(pairs, "&")
}

// logEntry is what we want to know of a line.
type logEntry struct {
	method, target string // empty for what was no request
	status         int
}

// answered reports whether the line is of a read that got an answer.
func (e logEntry) answered() bool {
	return (e.method == "GET" || e.method == "HEAD") && (e.status == 200 || e.status == 304)
}

// parseLogLine reads a line in Apache's common format,
//
//	host ident user [time] "request" status bytes
//
// with anything behind it, such as the rest of the combined format, and perhaps
// a virtual host in front. It returns false for what is no such line.
func parseLogLine(line []byte) (e logEntry, ok bool) {
	// Quotes are escaped wherever a client has a say, so that this is the end of
	// the time and nothing else.
	before, rest, found := bytes.Cut(line, []byte(`] "`))
	who, when, timed := cutLast(before, []byte(" ["))
	if !found || !timed || len(bytes.Fields(who)) < 3 || len(when) != len("02/Jan/2006:15:04:05 -0700") {
		return e, false
	}
	end := 0
	for end < len(rest) && rest[end] != '"' {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(rest) {
		return e, false
	}
	fields := bytes.Fields(rest[end+1:])
	if len(fields) < 2 {
		return e, false
	}
	status, err := strconv.Atoi(string(fields[0]))
	if err != nil || status < 100 || status > 599 {
		return e, false
	}
	e.status = status
	method, target, found := bytes.Cut(rest[:end], []byte(" "))
	if i := bytes.LastIndex(target, []byte(" HTTP/")); i >= 0 {
		target = target[:i]
	}
	if found && len(method) > 0 && len(target) > 0 && target[0] == '/' {
		e.method, e.target = string(method), unescapeTarget(target)
	}
	return e, true
}

func cutLast(s, sep []byte) (before, after []byte, found bool) {
	if i := bytes.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, nil, false
}

// unescapeTarget undoes the escapes of the log and percent-encodes what may not
// be in a target as it is. Source: Apache's ap_escape_logitem.
func unescapeTarget(s []byte) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; c {
			case 'n', 'r', 't', 'b', 'v':
				c = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'v': '\v'}[c]
			case 'x':
				if i+2 < len(s) {
					if code, err := strconv.ParseUint(string(s[i+1:i+3]), 16, 8); err == nil {
						c = byte(code)
						i += 2
					}
				}
			}
		}
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}
