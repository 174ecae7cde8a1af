package accesslog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/flock"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

var at = time.Date(2026, 11, 25, 2, 13, 7, 0, time.FixedZone("", -5*3600))

func request(target string) *api.Request {
	return &api.Request{
		At: at, Status: 200, Bytes: 51234, Outcome: "miss", TookMS: 5321.25, ID: "id-1",
		Asked:  api.Asked{Method: "GET", Target: target, Proto: "HTTP/1.1"},
		Sender: api.Sender{Client: "203.0.113.7", Referer: "https://web4.ustfccca.org/", Agent: "Mozilla/5.0"},
	}
}

// TestCombined: the line is Apache's combined format with outcome, seconds and request ID
// after it, and a - for each value that is missing.
func TestCombined(t *testing.T) {
	got := string(Combined.appendLine(nil, request("/teams/?gender=M")))
	if want := `203.0.113.7 - - [25/Nov/2026:02:13:07 -0500] "GET /teams/?gender=M HTTP/1.1" 200 51234 "https://web4.ustfccca.org/" "Mozilla/5.0" miss 5.321250 id-1` + "\n"; got != want {
		t.Errorf("%s", got)
	}
	bare := &api.Request{At: at, Status: 304, Bytes: -1, Asked: api.Asked{Method: "HEAD", Target: "/", Proto: "HTTP/1.0"}}
	if got, want := string(Combined.appendLine(nil, bare)), `- - - [25/Nov/2026:02:13:07 -0500] "HEAD / HTTP/1.0" 304 - "-" "-" - 0.000000 -`+"\n"; got != want {
		t.Errorf("%s", got)
	}
}

// TestNoForgedLines: for any bytes of a client, its request is one line in printable
// ASCII or UTF-8, and is read back as itself.
func TestNoForgedLines(t *testing.T) {
	forged := "\n" + string(Combined.appendLine(nil, request("/forged"))) + "\n" + string(JSON.appendLine(nil, request("/forged")))
	for name, text := range map[string]string{
		"a line": forged, "quotes": `" 200 1 "-" "-" hit 0.1 x`, "a backslash": `\`, "controls": "\x00\x1b[31m\r\n\t\x7f", "no UTF-8": "\xff\xfe\xc3", "UTF-8": "Muñoz\u2028",
	} {
		for _, format := range []Format{Combined, JSON} {
			r := request("/teams/?search=a%20b&x=%C3%A9")
			r.Referer, r.Agent, r.ID, r.Client, r.Outcome = text, text, text, text, text
			line := format.appendLine(nil, r)
			if n := bytes.Count(line, []byte("\n")); n != 1 || line[len(line)-1] != '\n' {
				t.Errorf("%s, %s: %d line feeds in %q", format, name, n, line)
			}
			for _, c := range line[:len(line)-1] {
				if c < ' ' || c == 0x7f && format == Combined {
					t.Errorf("%s, %s: the byte %x is in %q", format, name, c, line)
				}
			}
			if format == JSON && !json.Valid(line) {
				t.Errorf("%s: no JSON: %q", name, line)
			}
			if name == "a line" && format == Combined {
				continue // Client is an address, and can't have spaces
			}
			if e, ok := Parse(bytes.TrimSuffix(line, []byte("\n"))); format == JSON && (!ok || e != Entry{"GET", r.Target, 200}) {
				t.Errorf("%s, %s: %+v, %v from %q", format, name, e, ok, line)
			}
		}
		r := request("/teams/")
		r.Referer, r.Agent = text, text
		if e, ok := Parse(bytes.TrimSuffix(Combined.appendLine(nil, r), []byte("\n"))); !ok || e != (Entry{"GET", "/teams/", 200}) {
			t.Errorf("%s: %+v, %v", name, e, ok)
		}
	}
}

// open returns a Log of a path, with rotation at 1 MiB.
func open(t *testing.T, path string, format Format) *Log {
	t.Helper()
	l, err := Open(Options{Path: path, Format: format, Size: 1 << 20, Files: 3})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestRoundTrip: the requests that were logged are read back, in both formats, in their
// order, from the file and its rotated parts.
func TestRoundTrip(t *testing.T) {
	for _, format := range []Format{Combined, JSON} {
		t.Run(string(format), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "access.log")
			if err := os.WriteFile(path, Combined.appendLine(nil, request("/earlier")), 0o640); err != nil {
				t.Fatal(err)
			}
			l := open(t, path, format)
			want := []string{"/earlier"}
			const lines = 7500 // about 1.2 MB or 1.9 MB, so that the file is rotated
			for i := range lines {
				r := request(fmt.Sprintf("/teams/?limit=%d&search=a%%20b", i))
				want = append(want, r.Target)
				l.Add(r)
			}
			l.queue.Close(time.Minute)
			l.Share(true) // waits for the compression
			if n := l.Dropped(); n != 0 {
				t.Fatalf("%d lines dropped", n)
			}
			zipped, _ := filepath.Glob(filepath.Join(dir, "access-*.log.gz"))
			if len(zipped) == 0 {
				names, _ := filepath.Glob(filepath.Join(dir, "*"))
				t.Fatalf("rotated: %q", names)
			}
			var got []string
			for _, name := range append(zipped, path) {
				err := ReadFile(name, nil, func(e Entry, ok bool) {
					if !ok || e.Method != "GET" || e.Status != 200 {
						t.Fatalf("%s: %+v, %v", name, e, ok)
					}
					got = append(got, e.Target)
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d targets, want %d", len(got), len(want))
			}
		})
	}
}

// TestShare: while another process rotates the file, lines go to the file that is at the
// path, and this process rotates nothing.
func TestShare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := open(t, path, Combined)
	add := func(target string) {
		l.Add(request(target))
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if b, _ := os.ReadFile(path); bytes.Contains(b, []byte(target)) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is not in the file", target)
			}
		}
	}
	add("/own")
	l.Share(true)
	other := open(t, path, Combined) // the successor
	add("/shared")
	other.Add(request("/other"))
	other.Close()
	add("/after-the-other")
	if err := os.Rename(path, path+".1"); err != nil { // as a rotation by the other process
		t.Fatal(err)
	}
	add("/after-a-rotation")
	l.Share(false)
	add("/own-again")
	l.Close()
	var got []string
	for _, name := range []string{path + ".1", path} {
		if err := ReadFile(name, nil, func(e Entry, ok bool) { got = append(got, e.Target) }); err != nil {
			t.Fatal(err)
		}
	}
	if want := "[/own /shared /other /after-the-other /after-a-rotation /own-again]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestRotationWhileShared: a process that rotates the file loses or overwrites no line of
// a process that shares it, and the other way round.
func TestRotationWhileShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	opts := Options{Path: path, Size: 1 << 20, Files: 100}
	owner, other := newFile(opts), newFile(opts)
	other.share(true)
	filler := strings.Repeat("x", 32<<10)
	write := func(f *file, target string) {
		if _, err := f.Write(Combined.appendLine(nil, request(target))); err != nil {
			t.Error(err)
		}
	}
	want := map[string]bool{}
	for i := range 40 { // in turns: 40 lines of each, three rotations
		for name, f := range map[string]*file{"owner": owner, "other": other} {
			target := fmt.Sprintf("/turns/%s/%d", name, i)
			want[target] = true
			write(f, target+"?"+filler)
		}
	}
	var all sync.WaitGroup
	for name, f := range map[string]*file{"owner": owner, "other": other} {
		for i := range 200 {
			want[fmt.Sprintf("/together/%s/%d", name, i)] = true
		}
		all.Go(func() {
			for i := range 200 {
				write(f, fmt.Sprintf("/together/%s/%d?%s", name, i, filler))
			}
		})
	}
	all.Wait()
	owner.share(true) // waits for the compression
	rotated, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "access-*"))
	if len(rotated) < 4 {
		t.Errorf("rotated: %q", rotated)
	}
	for _, name := range append(rotated, path) {
		err := ReadFile(name, nil, func(e Entry, ok bool) {
			target, _, _ := strings.Cut(e.Target, "?")
			if !ok || !want[target] {
				t.Errorf("%s: a damaged or repeated line %.60q", name, target)
			}
			delete(want, target)
		})
		if err != nil {
			t.Error(err)
		}
	}
	if len(want) > 0 {
		t.Errorf("%d lines are lost", len(want))
	}
}

// TestFullDisk: without room for lines nothing blocks, and they are dropped and counted.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	l := open(t, "/dev/full", Combined)
	const lines = 3000
	for range lines {
		l.Add(request("/teams/"))
	}
	l.Close()
	if n := l.Dropped(); n != lines {
		t.Errorf("%d of %d lines dropped", n, lines)
	}
	if info, err := os.Stat("/dev/full"); err != nil || info.Mode().IsRegular() {
		t.Fatalf("the device was replaced: %v, %v", info, err)
	}
}

// TestLockedFolder holds that neither a hand-over nor the end of the process waits for a
// write, which waits while another process has the folder locked, and that its line is not lost.
func TestLockedFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := open(t, path, Combined)
	unlock, err := flock.Lock(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	l.Add(request("/waits"))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Close()
		l.Share(false)
		l.Share(true)
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the end of the log waits for the lock of another process")
	}
	unlock()
	l.queue.Close(time.Minute)
	if lines, err := os.ReadFile(path); err != nil || !strings.Contains(string(lines), "/waits") {
		t.Errorf("%q %v", lines, err)
	}
}

// TestPipe: a FIFO without a reader blocks neither Add nor Close, and a reader that comes
// gets the lines from then on.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	l := open(t, path, JSON)
	l.Add(request("/lost"))
	for deadline := time.Now().Add(time.Minute); l.Dropped() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the line is not dropped")
		}
	}
	reader, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.Add(request("/read"))
	if line, err := bufio.NewReader(reader).ReadString('\n'); err != nil || !strings.Contains(line, `"target":"/read"`) {
		t.Errorf("%q, %v", line, err)
	}
	for range 20_000 { // the reader reads no more: the pipe and the queue are full soon
		l.Add(request("/teams/"))
	}
	if n := l.Dropped(); n < 2000 {
		t.Errorf("%d lines dropped", n)
	}
	reader.Close()
	l.Close()
}

// TestStdout: the log can go to the standard output.
func TestStdout(t *testing.T) {
	var out bytes.Buffer
	l, err := Open(Options{Path: Stdout, Format: Combined, Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	l.Add(request("/teams/"))
	l.Close()
	if !strings.Contains(out.String(), "GET /teams/") {
		t.Errorf("%q", out.String())
	}
}

// TestNoFile: a path at which no file can be is refused.
func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "nowhere", "access.log")} {
		if _, err := Open(Options{Path: path}); err == nil || !strings.Contains(err.Error(), path) && !strings.Contains(err.Error(), filepath.Dir(path)) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestConcurrentAdds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := open(t, path, Combined)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 500 {
				l.Add(request(fmt.Sprintf("/%d/%d", g, i)))
			}
		})
	}
	all.Wait()
	l.queue.Close(time.Minute)
	next := [4]int{}
	err := ReadFile(path, nil, func(e Entry, ok bool) {
		var g, i int
		if _, err := fmt.Sscanf(e.Target, "/%d/%d", &g, &i); err != nil || !ok || i != next[g] {
			t.Fatalf("%+v, %v, want %v", e, ok, next)
		}
		next[g]++
	})
	if err != nil || next != [4]int{500, 500, 500, 500} {
		t.Errorf("%v, %v", next, err)
	}
}

// BenchmarkAdd measures the line of a request and its way into the queue.
func BenchmarkAdd(b *testing.B) {
	for _, format := range []Format{Combined, JSON} {
		b.Run(string(format), func(b *testing.B) {
			l, err := Open(Options{Path: "/dev/null", Format: format})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			r := request("/athletes/?season_year=2025&division=2030&gender=M&limit=50000")
			b.ReportAllocs()
			for b.Loop() {
				l.Add(r)
			}
		})
	}
}
