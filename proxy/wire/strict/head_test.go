package strict

import (
	"bufio"
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/wire/stricttest"
)

const get = "GET /teams/?limit=5 HTTP/1.1"

// read parses a head as a connection does.
func (h *Head) read(text string) error {
	size, err := End([]byte(text), 0)
	if err != nil {
		return err
	}
	if p := h.Parse([]byte(text[:size])); p != nil {
		return p
	}
	return nil
}

// TestHeads: parsing a head extracts its target, fields and body length.
func TestHeads(t *testing.T) {
	var h Head // one for all, as on a connection
	for name, tt := range stricttest.PlainHeads {
		if err := h.read(tt.Head); err != nil || !h.Plain() {
			t.Errorf("%s: %v, plain %t", name, err, h.Plain())
		} else if string(h.Target) != tt.Target || string(h.AcceptEncoding) != tt.Accept || string(h.IfNoneMatch) != tt.Tags {
			t.Errorf("%s: %q %q %q", name, h.Target, h.AcceptEncoding, h.IfNoneMatch)
		}
	}
	for name, tt := range stricttest.OtherHeads {
		if err := h.read(tt.Head); err != nil || h.Plain() || h.length != tt.Length || h.Closes != tt.Closes {
			t.Errorf("%s: %v, plain %t, length %d, closes %t", name, err, h.Plain(), h.length, h.Closes)
		}
	}
}

// A body follows a head that names a length above zero or chunks.
func TestHasBody(t *testing.T) {
	for field, want := range map[string]bool{"X: y": false, "Content-Length: 0": false, "Content-Length: 1": true, "Transfer-Encoding: chunked": true} {
		var h Head
		if err := h.read(stricttest.Lines("POST / HTTP/1.1", "Host: a", field)); err != nil || h.HasBody() != want {
			t.Errorf("%s: %t, %v", field, h.HasBody(), err)
		}
	}
}

// The values of fields with several lines are joined, and only those are handed on.
func TestEachJoined(t *testing.T) {
	var h Head
	head := stricttest.Lines(get, "Host: a", "Accept-Encoding: br", `If-Match: "a"`, `If-None-Match: "x"`, `if-match: "b"`, `If-None-Match: "y"`, "If-Match: *", "X: 1", "X: 2")
	if err := h.read(head); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	h.EachJoined(func(name string, value []byte) { got[name] = string(value) })
	if want := map[string]string{"If-Match": `"a", "b", *`, "If-None-Match": `"x", "y"`}; !maps.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if string(h.AcceptEncoding) != "br" || string(h.IfNoneMatch) != `"x", "y"` {
		t.Errorf("%q, %q", h.AcceptEncoding, h.IfNoneMatch)
	}
}

// The facts that decide about the answer come from the request line and its fields.
func TestFacts(t *testing.T) {
	for text, want := range map[string]Head{
		stricttest.Lines("HEAD / HTTP/1.1", "Host: a"):                                 {IsHEAD: true},
		stricttest.Lines("GET / HTTP/1.0"):                                             {HTTP10: true, Closes: true},
		stricttest.Lines("GET / HTTP/1.0", "Connection: keep-alive"):                   {HTTP10: true},
		stricttest.Lines("GET / HTTP/1.1", "Host: a", "Connection: keep-alive, close"): {Closes: true},
		stricttest.Lines("GET / HTTP/1.1", "Host: a", "Proxy-Conn: close"):             {},
		stricttest.Lines("GET / HTTP/1.1", "Host: a", "Expect: 100-continue"):          {Expects: true},
		stricttest.Lines("GET / HTTP/1.1", "Host: a", "Referer: https://a/b"):          {Fields: Fields{Referer: []byte("https://a/b")}},
		stricttest.Lines("GET / HTTP/1.1", "Host: a", "Referred: https://a/b"):         {},
		stricttest.Lines("GET / HTTP/1.1", "Host: a", "refereR:x"):                     {Fields: Fields{Referer: []byte("x")}},
		stricttest.Lines("GET / HTTP/1.1", "Host: a", "Refused: x"):                    {},
	} {
		var h Head
		err := h.read(text)
		if err != nil || h.IsHEAD != want.IsHEAD || h.HTTP10 != want.HTTP10 || h.Closes != want.Closes || h.Expects != want.Expects || string(h.Referer) != string(want.Referer) {
			t.Errorf("%q: HEAD %t, HTTP/1.0 %t, closes %t, expects %t, referer %q, %v", text, h.IsHEAD, h.HTTP10, h.Closes, h.Expects, h.Referer, err)
		}
	}
}

// TestRefusedHeads: a head that two recipients could read differently is refused.
func TestRefusedHeads(t *testing.T) {
	var h Head
	for name, tt := range stricttest.RefusedHeads {
		p, ok := h.read(tt.Head).(*Problem)
		if strings.Contains(name, "folded") && p != errFolded {
			t.Errorf("%s: %v, want %v", name, p, errFolded)
		}
		if !ok || p.Status != tt.Status {
			t.Errorf("%s: %v, want %d", name, p, tt.Status)
		}
		both := strings.Contains(tt.Head, "Content-Length") && strings.Contains(tt.Head, "Transfer-Encoding: chunked")
		if both && p != errFraming {
			t.Errorf("%s: %v, want %v", name, p, errFraming)
		}
	}
}

// TestHeadInPieces: the end of a head, or an LF without its CR, is detected as soon as
// its last byte arrives, however the bytes before it are split.
func TestHeadInPieces(t *testing.T) {
	for _, head := range []string{stricttest.Lines(get, "Host: a"), stricttest.Lines(get), "\r\n", stricttest.Lines(get, "Host: a") + "GET /"} {
		end := strings.Index(head, "\r\n\r\n") + 4
		if head == "\r\n" {
			end = 2
		}
		for cut := range end {
			if _, err := End([]byte(head[:cut]), 0); err != ErrIncomplete {
				t.Fatalf("%q: %v", head[:cut], err)
			}
			if n, err := End([]byte(head), cut); n != end || err != nil {
				t.Fatalf("%q, searched to %d: %d, %v, want %d", head, cut, n, err, end)
			}
		}
	}
	if _, err := End([]byte(get+"\r\nHost: a\n"), 20); err != errBareLF {
		t.Error(err)
	}
	if _, err := End([]byte("\n"), 0); err != errBareLF {
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

// TestClasses: each class has the bytes of its definition and no others.
func TestClasses(t *testing.T) {
	const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for c := range 256 {
		for of, want := range map[class]bool{
			isToken:      strings.IndexByte(alphanumeric+"!#$%&'*+-.^_`|~", byte(c)) >= 0,
			isDecimal:    strings.IndexByte(alphanumeric[:10], byte(c)) >= 0,
			isTargetByte: c > ' ' && c != '#' && c != 0x7f,
			isHostByte:   strings.IndexByte(alphanumeric+"-._", byte(c)) >= 0,
		} {
			if got := all([]byte{byte(c)}, of); got != want {
				t.Errorf("%q in class %d: %t", rune(c), of, got)
			}
		}
	}
}

// TestEqualFold: only a letter equals its other case.
func TestEqualFold(t *testing.T) {
	for _, lower := range []string{"a", "m", "z", "-", "/", ":", "1"} {
		for c := range 128 {
			if got, want := equalFold([]byte{byte(c)}, lower), strings.EqualFold(string(rune(c)), lower); got != want {
				t.Errorf("%q and %q: %t", rune(c), lower, got)
			}
		}
	}
}

// FuzzHead: fasthttp parses every head that is accepted, with the same result.
func FuzzHead(f *testing.F) {
	for _, tt := range stricttest.PlainHeads {
		f.Add([]byte(tt.Head))
	}
	for _, tt := range stricttest.OtherHeads {
		f.Add([]byte(tt.Head))
	}
	for _, tt := range stricttest.RefusedHeads {
		f.Add([]byte(tt.Head))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var h Head
		if len(text) > MaxHead || h.read(string(text)) != nil {
			return
		}
		size, _ := End(text, 0)
		var r fasthttp.RequestHeader
		from := bufio.NewReaderSize(bytes.NewReader(text[:size]), MaxHead)
		if err := r.Read(from); err != nil || from.Buffered() > 0 {
			if bytes.Contains(bytes.ToLower(text), []byte("trailer")) {
				return // fasthttp refuses some Trailer fields, and then the server refuses the request
			}
			t.Fatalf("%v, %d bytes left", err, from.Buffered())
		}
		if string(r.Method()) != string(h.Method) || !bytes.Equal(r.RequestURI(), h.Target) || r.ConnectionClose() != h.Closes {
			t.Errorf("%q %q closes %t; fasthttp reads %q %q %t", h.Method, h.Target, h.Closes, r.Method(), r.RequestURI(), r.ConnectionClose())
		}
		length := map[int]int{-2: noLength, -1: chunked}
		want, none := length[r.ContentLength()]
		if !none {
			want = r.ContentLength()
		}
		if h.length != want {
			t.Errorf("length %d; fasthttp reads %d", h.length, r.ContentLength())
		}
		var uri fasthttp.URI
		if err := uri.Parse(r.Host(), r.RequestURI()); err != nil {
			t.Error(err)
		}
		if path, _, _ := bytes.Cut(h.Target, []byte("?")); path[0] == '/' && (!bytes.Equal(uri.PathOriginal(), path) || !bytes.EqualFold(uri.Host(), r.Host())) {
			t.Errorf("%q of %q; fasthttp reads %q of %q", path, r.Host(), uri.PathOriginal(), uri.Host())
		}
		for i, name := range [...]string{acceptEncoding: "Accept-Encoding", ifNoneMatch: "If-None-Match"} {
			got := [...][]byte{h.AcceptEncoding, h.IfNoneMatch}[i]
			if want := bytes.Join(r.PeekAll(name), []byte(", ")); h.joined.lines[i] > 0 && !bytes.Equal(got, want) {
				t.Errorf("%s is %q; fasthttp reads %q", name, got, want)
			}
		}
	})
}

func BenchmarkHead(b *testing.B) {
	text := []byte(stricttest.Lines("GET /iz/xcri/api/athletes/?season_year=2025&division=2030&gender=M&limit=50000&offset=0 HTTP/1.1", "Host: web4.ustfccca.org",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Accept: application/json, text/plain, */*", "Accept-Language: en-US,en;q=0.5", "Referer: https://web4.ustfccca.org/iz/xcri/",
		"Cookie: theme=dark", "Sec-Fetch-Mode: cors", "Accept-Encoding: gzip, deflate, br, zstd"))
	b.Run("ours", func(b *testing.B) {
		var h Head
		b.ReportAllocs()
		for b.Loop() {
			size, _ := End(text, 0)
			if h.Parse(text[:size]) != nil || !h.Plain() {
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
