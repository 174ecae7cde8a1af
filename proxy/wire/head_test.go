package wire

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// lines joins the lines of a head.
func lines(of ...string) string { return strings.Join(of, "\r\n") + "\r\n\r\n" }

const get = "GET /teams/?limit=5 HTTP/1.1"

// plainHeads lists heads that the fast path may answer.
var plainHeads = map[string]struct{ head, target, accept, tags string }{
	"the least":                        {lines(get, "Host: a"), "/teams/?limit=5", "", ""},
	"a browser's":                      {lines(get, "Host: web4.ustfccca.org", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)", "Accept: */*", "Accept-Encoding: gzip, br", "Cookie: a=b; c=d"), "/teams/?limit=5", "gzip, br", ""},
	"Apache's":                         {lines(get, "Host: 127.0.0.1:8000", "X-Forwarded-For: 10.0.0.1", "If-None-Match: \"x\", W/\"y\"", "Connection: Keep-Alive"), "/teams/?limit=5", "", `"x", W/"y"`},
	"other cases":                      {lines(get, "hOST:a.b:80", "ACCEPT-ENCODING:  zstd ", "if-none-match:*"), "/teams/?limit=5", "zstd", "*"},
	"repeated fields":                  {lines(get, "Host: a", "Accept-Encoding: gzip", "If-None-Match: \"x\"", "Accept-Encoding:\tbr;q=0 ", "If-None-Match:*", "Accept-Encoding: *"), "/teams/?limit=5", "gzip, br;q=0, *", `"x", *`},
	"fields of lengths that are known": {lines(get, "Host: a", "Date: x", "Cookie: x", "If-Range: x", "User-Agent: x", "Cache-Control: x", "Accept-Charset: x", "Accept-Language: x", "X-Forwarded-Proto: x"), "/teams/?limit=5", "", ""},
	"a tab after a value":              {lines(get, "Host: a\t", "Accept-Encoding: gzip \t "), "/teams/?limit=5", "gzip", ""},
	"an IPv6 host alone":               {lines(get, "Host: [2001:db8::1]"), "/teams/?limit=5", "", ""},
	"a port of five digits":            {lines(get, "Host: a_b-c.d:65535"), "/teams/?limit=5", "", ""},
	"an IPv6 host":                     {lines(get, "Host: [::1]:8000"), "/teams/?limit=5", "", ""},
	"bytes above ASCII":                {lines("GET /teams/?search=\xc3\xb1 HTTP/1.1", "Host: a", "X: \xff"), "/teams/?search=\xc3\xb1", "", ""},
	"a tab in a value":                 {lines(get, "Host: a", "X: a\tb"), "/teams/?limit=5", "", ""},
	"an upgrade":                       {lines(get, "Host: a", "Connection: upgrade", "Upgrade: h2c"), "/teams/?limit=5", "", ""},
	"an empty value":                   {lines(get, "Host: a", "X:", "If-None-Match: "), "/teams/?limit=5", "", ""},
	"many token characters":            {lines(get, "Host: a", "X-!#$%&'*+.^_`|~09: a"), "/teams/?limit=5", "", ""},
}

// otherHeads lists heads that are valid but left to the handler, with the length of
// the body.
var otherHeads = map[string]struct {
	head   string
	length int
	closes bool
}{
	"a method":                {lines("POST /teams/ HTTP/1.1", "Host: a"), noLength, false},
	"a method of its own":     {lines("FOO-1 /teams/ HTTP/1.1", "Host: a"), noLength, false},
	"HEAD":                    {lines("HEAD /teams/ HTTP/1.1", "Host: a"), noLength, false},
	"HTTP/1.0":                {lines("GET /teams/ HTTP/1.0"), noLength, true},
	"HTTP/1.0 that goes on":   {lines("GET /teams/ HTTP/1.0", "Connection: Keep-Alive"), noLength, false},
	"a URL":                   {lines("GET http://a/teams/ HTTP/1.1", "Host: a"), noLength, false},
	"a URL with nothing more": {lines("GET http://a HTTP/1.1", "Host: a"), noLength, false},
	"two lines of Connection": {lines("GET /teams/ HTTP/1.0", "Connection: keep-alive", "Connection: x"), noLength, false},
	"the last in two lines":   {lines(get, "Host: a", "Connection: close", "Connection: x"), noLength, true},
	"a length of nine digits": {lines(get, "Host: a", "Content-Length: 999999999"), 999999999, false},
	"a URL without a path":    {lines("GET HTTPS://a:80?x HTTP/1.1", "Host: a"), noLength, false},
	"a star":                  {lines("OPTIONS * HTTP/1.1", "Host: a"), noLength, false},
	"a body":                  {lines(get, "Host: a", "Content-Length: 012"), 12, false},
	"an empty body":           {lines(get, "Host: a", "Content-Length: 0"), 0, false},
	"chunks":                  {lines(get, "Host: a", "transfer-ENCODING: Chunked"), chunked, false},
	"the last":                {lines(get, "Host: a", "Connection: x, CLOSE ,y"), noLength, true},
	"another site's":          {lines(get, "Host: a", "Origin: https://b"), noLength, false},
	"a precondition":          {lines(get, "Host: a", `If-Match: "x"`), noLength, false},
	"an expectation":          {lines(get, "Host: a", "Expect: 100-continue"), noLength, false},
}

// refusedHeads lists heads that are refused, with the status of the answer.
var refusedHeads = map[string]struct {
	head   string
	status int
}{
	"nothing in the line":               {lines(""), 400},
	"no HTTP":                           {lines("hello"), 400},
	"no target":                         {lines("GET HTTP/1.1", "Host: a"), 400},
	"an empty target":                   {lines("GET  HTTP/1.1", "Host: a"), 400},
	"two spaces":                        {lines("GET  /teams/ HTTP/1.1", "Host: a"), 400},
	"a space in the target":             {lines("GET /teams/ x HTTP/1.1", "Host: a"), 400},
	"a space at the end":                {lines(get+" ", "Host: a"), 400},
	"a tab in the line":                 {lines("GET\t/teams/ HTTP/1.1", "Host: a"), 400},
	"a method that is no token":         {lines("GE(T /teams/ HTTP/1.1", "Host: a"), 400},
	"no method":                         {lines(" /teams/ HTTP/1.1", "Host: a"), 400},
	"a fragment":                        {lines("GET /teams/#x HTTP/1.1", "Host: a"), 400},
	"a control in the target":           {lines("GET /teams/\x01 HTTP/1.1", "Host: a"), 400},
	"a NUL in the target":               {lines("GET /teams/\x00 HTTP/1.1", "Host: a"), 400},
	"a DEL in the target":               {lines("GET /teams/\x7f HTTP/1.1", "Host: a"), 400},
	"a CR in the target":                {lines("GET /teams/\rx HTTP/1.1", "Host: a"), 400},
	"a relative target":                 {lines("GET teams/ HTTP/1.1", "Host: a"), 400},
	"another scheme":                    {lines("GET ftp://a/teams/ HTTP/1.1", "Host: a"), 400},
	"a URL without a host":              {lines("GET http:///teams/ HTTP/1.1", "Host: a"), 400},
	"a URL with a user":                 {lines("GET http://u@a/teams/ HTTP/1.1", "Host: a"), 400},
	"a star for another method":         {lines("GET * HTTP/1.1", "Host: a"), 400},
	"an authority":                      {lines("CONNECT a:443 HTTP/1.1", "Host: a"), 400},
	"another version":                   {lines("GET /teams/ HTTP/9.9", "Host: a"), 505},
	"HTTP/2":                            {lines("PRI * HTTP/2.0"), 505},
	"HTTP/1.2":                          {lines("GET /teams/ HTTP/1.2", "Host: a"), 505},
	"no version":                        {lines("GET /teams/ HTTP", "Host: a"), 400},
	"a version in lower case":           {lines("GET /teams/ http/1.1", "Host: a"), 400},
	"another protocol":                  {lines("GET /teams/ XTTP/1.1", "Host: a"), 400},
	"a letter for a version":            {lines("GET /teams/ HTTP/x.1", "Host: a"), 400},
	"a letter after the point":          {lines("GET /teams/ HTTP/1.x", "Host: a"), 400},
	"no point in a version":             {lines("GET /teams/ HTTP/1-1", "Host: a"), 400},
	"a relative target of OPTIONS":      {lines("OPTIONS teams/ HTTP/1.1", "Host: a"), 400},
	"a URL of a scheme alone":           {lines("GET http:// HTTP/1.1", "Host: a"), 400},
	"a length of ten digits":            {lines(get, "Host: a", "Content-Length: 1000000000"), 413},
	"a letter as a port of IPv6":        {lines(get, "Host: [::1]:8o"), 400},
	"an IPv6 host without its port":     {lines(get, "Host: [::1]:"), 400},
	"a port after more than an address": {lines(get, "Host: [::1]x:80"), 400},
	"an empty address":                  {lines(get, "Host: []"), 400},
	"a zone in an address":              {lines(get, "Host: [fe80::1%25eth0]"), 400},
	"a zone without its escape":         {lines(get, "Host: [fe80::1%eth0]"), 400},
	"a longer version":                  {lines("GET /teams/ HTTP/1.10", "Host: a"), 400},
	"no host":                           {lines(get, "Accept: */*"), 400},
	"an empty host":                     {lines(get, "Host: "), 400},
	"two hosts":                         {lines(get, "Host: a", "Host: a"), 400},
	"two hosts in HTTP/1.0":             {lines("GET /teams/ HTTP/1.0", "Host: a", "Host: a"), 400},
	"two hosts in a line":               {lines(get, "Host: a, b"), 400},
	"a host with a user":                {lines(get, "Host: u@a"), 400},
	"a quote in a host":                 {lines(get, `Host: a"b`), 400},
	"brackets in a host":                {lines(get, "Host: <x>"), 400},
	"a path in a host":                  {lines(get, "Host: a/b"), 400},
	"a backslash in a host":             {lines(get, `Host: a\b`), 400},
	"a space in a host":                 {lines(get, "Host: a b"), 400},
	"a query in a host":                 {lines(get, "Host: a?b"), 400},
	"a percent in a host":               {lines(get, "Host: a%41"), 400},
	"a byte above ASCII in it":          {lines(get, "Host: \xc3\xb1"), 400},
	"a host without its port":           {lines(get, "Host: a:"), 400},
	"a port without its host":           {lines(get, "Host: :80"), 400},
	"a port that is no number":          {lines(get, "Host: a:8o"), 400},
	"a port that is too long":           {lines(get, "Host: a:123456"), 400},
	"a port above 65535":                {lines(get, "Host: a:65536"), 400},
	"a port far above 65535":            {lines(get, "Host: [::1]:99999"), 400},
	"two ports":                         {lines(get, "Host: a:80:80"), 400},
	"no IPv6 address":                   {lines(get, "Host: [a]"), 400},
	"an IPv4 address in []":             {lines(get, "Host: [127.0.0.1]"), 400},
	"an address that does not end":      {lines(get, "Host: [::1"), 400},
	"more after an address":             {lines(get, "Host: [::1]x"), 400},
	"no colon":                          {lines(get, "Host: a", "X"), 400},
	"no name":                           {lines(get, "Host: a", ": x"), 400},
	"a space after a name":              {lines(get, "Host: a", "Content-Length : 2"), 400},
	"a space in a name":                 {lines(get, "Host: a", "X Y: 2"), 400},
	"a bracket in a name":               {lines(get, "Host: a", "X(: 2"), 400},
	"a byte above ASCII in a name":      {lines(get, "Host: a", "X\xff: 2"), 400},
	"a NUL in a name":                   {lines(get, "Host: a", "X\x00: 2"), 400},
	"a folded line":                     {lines(get, "Host: a", "X: 1", " 2"), 400},
	"a folded line with a tab":          {lines(get, "Host: a", "X: 1", "\t2"), 400},
	"a first line that is folded":       {lines(get, " Host: a"), 400},
	"a CR in a value":                   {lines(get, "Host: a", "X: a\rb"), 400},
	"a NUL in a value":                  {lines(get, "Host: a", "X: a\x00b"), 400},
	"a control in a long value":         {lines(get, "Host: a", "X: 0123456789\x1f0123456789"), 400},
	"a DEL in a long value":             {lines(get, "Host: a", "X: 01234567890123456789\x7f"), 400},
	"a length with a sign":              {lines(get, "Host: a", "Content-Length: +1"), 400},
	"a length below zero":               {lines(get, "Host: a", "Content-Length: -1"), 400},
	"a length in hexadecimal":           {lines(get, "Host: a", "Content-Length: 0x1"), 400},
	"an empty length":                   {lines(get, "Host: a", "Content-Length:"), 400},
	"a list of lengths":                 {lines(get, "Host: a", "Content-Length: 1, 1"), 400},
	"two lengths":                       {lines(get, "Host: a", "Content-Length: 1", "Content-Length: 1"), 400},
	"a length past all numbers":         {lines(get, "Host: a", "Content-Length: 99999999999999999999"), 413},
	"identity":                          {lines(get, "Host: a", "Transfer-Encoding: identity"), 400},
	"a coding that is not known":        {lines(get, "Host: a", "Transfer-Encoding: gzip"), 400},
	"two codings":                       {lines(get, "Host: a", "Transfer-Encoding: gzip, chunked"), 400},
	"chunked twice":                     {lines(get, "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400},
	"chunked with a parameter":          {lines(get, "Host: a", "Transfer-Encoding: chunked;x"), 400},
	"an empty coding":                   {lines(get, "Host: a", "Transfer-Encoding:"), 400},
	"a control in a coding":             {lines(get, "Host: a", "Transfer-Encoding: \x0bchunked"), 400},
	"chunks with a length":              {lines(get, "Host: a", "Transfer-Encoding: chunked", "Content-Length: 2"), 400},
	"a length with chunks":              {lines(get, "Host: a", "Content-Length: 2", "Transfer-Encoding: chunked"), 400},
	"chunks in HTTP/1.0":                {lines("GET /teams/ HTTP/1.0", "Transfer-Encoding: chunked"), 400},
	"a bare LF in the line":             {get + "\nHost: a\r\n\r\n", 400},
	"a bare LF in a field":              {get + "\r\nHost: a\nX: y\r\n\r\n", 400},
	"a bare LF at the end":              {get + "\r\nHost: a\r\n\n", 400},
	"only LFs":                          {"GET /teams/ HTTP/1.1\nHost: a\n\n", 400},
}

// read parses a head as a connection does.
func (h *Head) read(text string) error {
	size, err := headEnd([]byte(text), 0)
	if err != nil {
		return err
	}
	if p := h.parse([]byte(text[:size])); p != nil {
		return p
	}
	return nil
}

// TestHeads: parsing a head extracts its target, fields and body length.
func TestHeads(t *testing.T) {
	var h Head // one for all, as on a connection
	for name, tt := range plainHeads {
		if err := h.read(tt.head); err != nil || !h.plain() {
			t.Errorf("%s: %v, plain %t", name, err, h.plain())
		} else if string(h.Target) != tt.target || string(h.AcceptEncoding) != tt.accept || string(h.IfNoneMatch) != tt.tags {
			t.Errorf("%s: %q %q %q", name, h.Target, h.AcceptEncoding, h.IfNoneMatch)
		}
	}
	for name, tt := range otherHeads {
		if err := h.read(tt.head); err != nil || h.plain() || h.length != tt.length || h.closes != tt.closes {
			t.Errorf("%s: %v, plain %t, length %d, closes %t", name, err, h.plain(), h.length, h.closes)
		}
	}
}

// TestRefusedHeads: a head that two recipients could read differently is refused.
func TestRefusedHeads(t *testing.T) {
	var h Head
	for name, tt := range refusedHeads {
		p, ok := h.read(tt.head).(*problem)
		if !ok || p.status != tt.status {
			t.Errorf("%s: %v, want %d", name, p, tt.status)
		}
	}
}

// TestHeadInPieces: the end of a head, or an LF without its CR, is detected as soon as
// its last byte arrives, however the bytes before it are split.
func TestHeadInPieces(t *testing.T) {
	for _, head := range []string{lines(get, "Host: a"), lines(get), "\r\n", lines(get, "Host: a") + "GET /"} {
		end := strings.Index(head, "\r\n\r\n") + 4
		if head == "\r\n" {
			end = 2
		}
		for cut := range end {
			if _, err := headEnd([]byte(head[:cut]), 0); err != errIncomplete {
				t.Fatalf("%q: %v", head[:cut], err)
			}
			if n, err := headEnd([]byte(head), cut); n != end || err != nil {
				t.Fatalf("%q, searched to %d: %d, %v, want %d", head, cut, n, err, end)
			}
		}
	}
	if _, err := headEnd([]byte(get+"\r\nHost: a\n"), 20); err != errBareLF {
		t.Error(err)
	}
	if _, err := headEnd([]byte("\n"), 0); err != errBareLF {
		t.Error(err)
	}
}

// TestHasControl: hasControl agrees with its definition for every byte in every
// position.
func TestHasControl(t *testing.T) {
	for length := 1; length <= 25; length++ {
		for at := range length {
			for c := range 256 {
				for _, fill := range []byte{' ', 'a', '\t', 0xff, '~'} {
					s := bytes.Repeat([]byte{fill}, length)
					s[at] = byte(c)
					if got, want := hasControl(s), c < ' ' && c != '\t' || c == 0x7f; got != want {
						t.Fatalf("%q: %t", s, got)
					}
				}
			}
		}
	}
}

// FuzzHead: fasthttp parses every head that is accepted, with the same result.
func FuzzHead(f *testing.F) {
	for _, tt := range plainHeads {
		f.Add([]byte(tt.head))
	}
	for _, tt := range otherHeads {
		f.Add([]byte(tt.head))
	}
	for _, tt := range refusedHeads {
		f.Add([]byte(tt.head))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var h Head
		if len(text) > MaxHead || h.read(string(text)) != nil {
			return
		}
		size, _ := headEnd(text, 0)
		var r fasthttp.RequestHeader
		from := bufio.NewReaderSize(bytes.NewReader(text[:size]), MaxHead)
		if err := r.Read(from); err != nil || from.Buffered() > 0 {
			if bytes.Contains(bytes.ToLower(text), []byte("trailer")) {
				return // fasthttp refuses some Trailer fields, and then the server refuses the request
			}
			t.Fatalf("%v, %d bytes left", err, from.Buffered())
		}
		if string(r.Method()) != string(h.Method) || !bytes.Equal(r.RequestURI(), h.Target) || r.ConnectionClose() != h.closes {
			t.Errorf("%q %q closes %t; fasthttp reads %q %q %t", h.Method, h.Target, h.closes, r.Method(), r.RequestURI(), r.ConnectionClose())
		}
		length := map[int]int{-2: noLength, -1: chunked}
		want, none := length[r.ContentLength()]
		if !none {
			want = r.ContentLength()
		}
		if h.length != want {
			t.Errorf("length %d; fasthttp reads %d", h.length, r.ContentLength())
		}
		if err := (&fasthttp.URI{}).Parse(r.Host(), r.RequestURI()); err != nil {
			t.Error(err)
		}
		for i, name := range [...]string{acceptEncoding: "Accept-Encoding", ifNoneMatch: "If-None-Match"} {
			got := [...][]byte{h.AcceptEncoding, h.IfNoneMatch}[i]
			if want := bytes.Join(r.PeekAll(name), []byte(", ")); h.lines[i] > 0 && !bytes.Equal(got, want) {
				t.Errorf("%s is %q; fasthttp reads %q", name, got, want)
			}
		}
	})
}

func BenchmarkHead(b *testing.B) {
	text := []byte(lines("GET /iz/xcri/api/athletes/?season_year=2025&division=2030&gender=M&limit=50000&offset=0 HTTP/1.1", "Host: web4.ustfccca.org",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Accept: application/json, text/plain, */*", "Accept-Language: en-US,en;q=0.5", "Referer: https://web4.ustfccca.org/iz/xcri/",
		"Cookie: theme=dark", "Sec-Fetch-Mode: cors", "Accept-Encoding: gzip, deflate, br, zstd"))
	b.Run("ours", func(b *testing.B) {
		var h Head
		b.ReportAllocs()
		for b.Loop() {
			size, _ := headEnd(text, 0)
			if h.parse(text[:size]) != nil || !h.plain() {
				b.Fatal("refused")
			}
		}
	})
	b.Run("fasthttp", func(b *testing.B) {
		var h fasthttp.RequestHeader
		from, buffered := bytes.NewReader(text), bufio.NewReaderSize(nil, MaxHead)
		b.ReportAllocs()
		for b.Loop() {
			from.Reset(text)
			buffered.Reset(from)
			if err := h.Read(buffered); err != nil {
				b.Fatal(err)
			}
		}
	})
}
