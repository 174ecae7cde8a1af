package accesslog

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const apiPath = "/iz/xcri/api"

// line is a line of the combined format.
func line(request string, status int) string {
	return fmt.Sprintf(`192.0.2.7 - - [27/Oct/2025:03:14:07 -0500] "%s" %d 51234 "https://web4.ustfccca.org/iz/xcri/" "Mozilla/5.0 (X11; Linux x86_64)"`, request, status)
}

func TestParse(t *testing.T) {
	const list = apiPath + "/athletes/?season_year=2025&division=2030&gender=M&limit=50000"
	for name, tt := range map[string]struct {
		line, method, target string
		status               int
	}{
		"common":                {`203.0.113.9 - - [27/Oct/2025:03:14:07 +0000] "GET ` + list + ` HTTP/1.1" 200 518204`, "GET", list, 200},
		"combined":              {line("GET "+list+" HTTP/2.0", 304), "GET", list, 304},
		"virtual host in front": {`web4.ustfccca.org:443 ` + line("HEAD "+list+" HTTP/1.1", 200), "HEAD", list, 200},
		"IPv6":                  {`2001:db8::7 - - [27/Oct/2025:03:14:07 +0000] "GET ` + list + ` HTTP/1.1" 200 -`, "GET", list, 200},
		"a user with a space":   {`::1 - jane doe [27/Oct/2025:03:14:07 +0000] "GET /x HTTP/1.1" 200 5`, "GET", "/x", 200},
		"a user with brackets":  {`::1 - a[1] \"x [27/Oct/2025:03:14:07 +0000] "GET /x HTTP/1.1" 200 5`, "GET", "/x", 200},
		"quotes in the agent": {`192.0.2.7 - - [27/Oct/2025:03:14:07 +0000] "GET /x HTTP/1.1" 200 5 "-" "\"Mozilla\" \\ ] \"GET /y HTTP/1.1\" 200"`,
			"GET", "/x", 200},
		"a quote in the request": {line(`GET /iz/xcri/api/teams/?search=\"x\" HTTP/1.1`, 200), "GET", "/iz/xcri/api/teams/?search=%22x%22", 200},
		"raw bytes":              {line(`GET /iz/xcri/api/teams/?search=Universit\xc3\xa9 HTTP/1.1`, 200), "GET", "/iz/xcri/api/teams/?search=Universit%C3%A9", 200},
		"half an escape":         {line(`GET /x?\xg1\x4 HTTP/1.1`, 200), "GET", "/x?xg1x4", 200},
		"a tab and a backslash":  {line(`GET /x?a\tb\\c HTTP/1.1`, 200), "GET", "/x?a%09b%5Cc", 200},
		"encoded characters":     {line("GET /iz/xcri/api/teams/?search=North%20Carolina+State&region=Great%20Lakes HTTP/1.1", 200), "GET", "/iz/xcri/api/teams/?search=North%20Carolina+State&region=Great%20Lakes", 200},
		"a space in the target":  {line("GET /x?search=a b HTTP/1.1", 200), "GET", "/x?search=a%20b", 200},
		"HTTP/0.9":               {line("GET /x", 200), "GET", "/x", 200},
		"no request":             {line("-", 408), "", "", 408},
		"TLS on the wrong port":  {line(`\x16\x03\x01\x02`, 400), "", "", 400},
		"a forward proxy's":      {line("GET http://other.example/x HTTP/1.1", 404), "", "", 404},
		"CONNECT":                {line("CONNECT other.example:443 HTTP/1.1", 405), "", "", 405},
		"the server itself":      {line("OPTIONS * HTTP/1.0", 200), "", "", 200},
		"a POST":                 {line("POST /x HTTP/1.1", 201), "POST", "/x", 201},
		"a carriage return":      {line("GET /x HTTP/1.1", 200) + "\r", "GET", "/x", 200},
	} {
		t.Run(name, func(t *testing.T) {
			e, ok := Parse([]byte(tt.line))
			if want := (Entry{tt.method, tt.target, tt.status}); !ok || e != want {
				t.Errorf("%s\ngot  %+v, %v\nwant %+v", tt.line, e, ok, want)
			}
		})
	}
	for name, text := range map[string]string{
		"empty": "", "text": "hello", "JSON": `{"request":"GET /x HTTP/1.1","status":200}`,
		"an error log":        "[Mon Oct 27 03:14:07.123456 2025] [proxy:error] [pid 7] (111)Connection refused: AH00957: http: attempt to connect to 127.0.0.1:8000",
		"cut off in the time": `192.0.2.7 - - [27/Oct/2025:03:1`, "cut off in the request": `192.0.2.7 - - [27/Oct/2025:03:14:07 +0000] "GET /iz/xc`,
		"cut off behind an escape": `192.0.2.7 - - [27/Oct/2025:03:14:07 +0000] "GET /iz/xc\`, "cut off in the status": `192.0.2.7 - - [27/Oct/2025:03:14:07 +0000] "GET /x HTTP/1.1" 20`,
		"no status": `192.0.2.7 - - [27/Oct/2025:03:14:07 +0000] "GET /x HTTP/1.1" - -`, "a status like none": line("GET /x HTTP/1.1", 999),
		"no user": `192.0.2.7 [27/Oct/2025:03:14:07 +0000] "GET /x HTTP/1.1" 200 5`, "another time": `192.0.2.7 - - [2025-10-27T03:14:07Z] "GET /x HTTP/1.1" 200 5`,
	} {
		if e, ok := Parse([]byte(text)); ok {
			t.Errorf("%s is a line: %+v", name, e)
		}
	}
}

func TestCount(t *testing.T) {
	const men, women = apiPath + "/athletes/?division=2030&gender=M", apiPath + "/athletes/?division=2030&gender=F"
	var log bytes.Buffer
	write := func(n int, text string) {
		for range n {
			log.WriteString(text + "\n")
		}
	}
	write(3, line("GET "+men+" HTTP/1.1", 200))
	write(2, line("GET "+apiPath+"/athletes/?gender=M&division=2030 HTTP/1.1", 304)) // the same in another order
	write(4, line("GET "+women+" HTTP/1.1", 200))
	write(1, line("HEAD "+apiPath+"/metadata/latest HTTP/1.1", 200))
	write(9, line("GET /iz/xcri/assets/index.js HTTP/1.1", 200))        // the site, not the API
	write(9, line("GET "+apiPath+"/teams/?gender=M HTTP/1.1", 404))     // no answer
	write(9, line("POST "+apiPath+"/feedback/ HTTP/1.1", 200))          // no read
	write(9, line("-", 408))                                            // no request
	write(2, "not a line of a log")                                     // malformed
	write(1, line("GET "+apiPath+"/"+strings.Repeat("x", 70<<10), 200)) // malformed: too long
	write(1, line("GET "+apiPath+"/"+strings.Repeat("x", 2<<10), 200))  // too long a target
	log.WriteString(line("GET "+apiPath+"/snapshots/ HTTP/1.1", 200))   // without a line feed

	check := func(t *testing.T, l *Count) {
		t.Helper()
		if l.Lines != 51 || l.Malformed != 3 || l.Counted != 11 {
			t.Errorf("%d lines, %d malformed, %d counted", l.Lines, l.Malformed, l.Counted)
		}
		want := []string{men, women, apiPath + "/metadata/latest", apiPath + "/snapshots/"}
		if got := l.Top(500); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q", got)
		}
		if got := l.Top(1); len(got) != 1 || got[0] != men {
			t.Errorf("%q", got)
		}
	}
	dir := t.TempDir()
	plain, zipped, cut := filepath.Join(dir, "access.log"), filepath.Join(dir, "access.log.1.gz"), filepath.Join(dir, "cut.gz")
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	_, _ = z.Write(log.Bytes())
	_ = z.Close()
	for name, content := range map[string][]byte{plain: log.Bytes(), zipped: gz.Bytes(), cut: gz.Bytes()[:gz.Len()/2]} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{plain, zipped, "-"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			l := NewCount("/iz/xcri/api/")
			if err := l.ReadFile(name, bytes.NewReader(log.Bytes())); err != nil {
				t.Fatal(err)
			}
			check(t, l)
		})
	}
	for _, name := range []string{cut, filepath.Join(dir, "nowhere"), dir} {
		if err := NewCount("/api/").ReadFile(name, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCountIsBounded holds that a log with any number of targets takes bounded
// memory, and that the most requested targets are kept.
func TestCountIsBounded(t *testing.T) {
	l := NewCount("/api/")
	l.limit = 100
	var log strings.Builder
	for i := range 5000 {
		fmt.Fprintln(&log, line(fmt.Sprintf("GET /api/athletes/%d HTTP/1.1", i), 200))
		if i%10 < 5 {
			fmt.Fprintln(&log, line(fmt.Sprintf("GET /api/teams/%d HTTP/1.1", i%10), 200))
		}
	}
	if err := Read(strings.NewReader(log.String()), l.add); err != nil {
		t.Fatal(err)
	}
	if len(l.requests) > l.limit || l.Counted != 7500 {
		t.Errorf("%d targets held, %d counted", len(l.requests), l.Counted)
	}
	for i, target := range l.Top(5) {
		if want := fmt.Sprintf("/api/teams/%d", i); target != want || l.requests[target] != 500 {
			t.Errorf("%s, %d times; want %s", target, l.requests[target], want)
		}
	}
}

func TestSortedQuery(t *testing.T) {
	for target, want := range map[string]string{
		"/x": "/x", "/x?": "/x?", "/x?b": "/x?b", "/x?b=1&a=2": "/x?a=2&b=1", "/x?b=2&a=1&b=1": "/x?a=1&b=2&b=1", "/x?a&&b": "/x?&a&b",
	} {
		if got := sortedQuery(target); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// FuzzParse holds that a parsed target can be sent as one.
func FuzzParse(f *testing.F) {
	for _, request := range []string{"GET /x?a=1 HTTP/1.1", "-", `\x16\x03`, `GET /\"\\ HTTP/1.1`, "GET /é HTTP/1.1", `GET /\`, "GET  /x"} {
		f.Add([]byte(line(request, 200)))
	}
	f.Add([]byte(line(" /", 100))) // a target without a method
	f.Add([]byte(`] "`))
	f.Add([]byte(` [27/Oct/2025:03:14:07 +0000] "" 200`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, ok := Parse(text)
		if !ok && e != (Entry{}) || ok && (e.Status < 100 || e.Status > 599) {
			t.Fatalf("%+v, %v", e, ok)
		}
		if e.Target == "" {
			return
		}
		for _, c := range []byte(e.Target) {
			if c <= ' ' || c >= 0x7f || c == '"' {
				t.Fatalf("%q holds %q", e.Target, c)
			}
		}
		if e.Target[0] != '/' || e.Method == "" {
			t.Fatalf("%+v", e)
		}
		sorted := sortedQuery(e.Target)
		if len(sorted) != len(e.Target) || sortedQuery(sorted) != sorted {
			t.Fatalf("%q becomes %q", e.Target, sorted)
		}
		_, before, _ := strings.Cut(e.Target, "?")
		_, after, _ := strings.Cut(sorted, "?")
		was, errWas := url.ParseQuery(before)
		is, errIs := url.ParseQuery(after)
		if (errWas == nil) != (errIs == nil) || errWas == nil && len(was) != len(is) {
			t.Fatalf("%q means something else than %q", sorted, e.Target)
		}
	})
}
