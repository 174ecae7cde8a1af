package site

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
)

const script = "assets/index-Bx3fK9aZ.js"

// folder returns a built site with many files that must not be served. Each file
// contains its own name. The files that may be served are an hour old.
func folder(t testing.TB) string {
	t.Helper()
	parent := t.TempDir()
	dir := filepath.Join(parent, "site")
	write(t, filepath.Join(parent, "outside.js"), "this is outside")
	for _, name := range []string{
		indexName, script, "assets/index-D1e2F3g4.css", "assets/faq-C0ffeeAB.md", "favicon.png", "with space.js",
		".env", ".git/config", ".well-known/x.html", "assets/.hidden.js", "assets/notes.md", "assets/secret-A1b2C3d4.py",
		"secret.py", "settings.env", "api-proxy.cgi", "README.md", "robots.txt", "package.json", "index.html.bak", "index.html~", "folder.js/x",
	} {
		write(t, filepath.Join(dir, name), "this is "+name)
	}
	write(t, filepath.Join(dir, "assets", "target.js"), "this is inside.js")
	for link, target := range map[string]string{
		"inside.js": "assets/target.js", "outside.js": "../outside.js", "away": "..", "loop.js": "loop.js",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.js"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// write replaces a file atomically, as rsync and mv do.
func write(t testing.TB, path, text string) {
	t.Helper()
	next := path + ".next"
	hourAgo := time.Now().Add(-time.Hour)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(next, []byte(text), 0o644),
		os.Chtimes(next, hourAgo, hourAgo), os.Rename(next, path)); err != nil {
		t.Fatal(err)
	}
}

// plain returns only the variant without a coding.
func plain(body []byte, _ bool) []cache.Variant { return []cache.Variant{{Body: body}} }

func newSite(t testing.TB, opts Options) *Site {
	t.Helper()
	if opts.Variants == nil {
		opts.Variants = plain
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// text returns the site's answer to a path: a file's content or the error.
func text(s *Site, path string) string {
	file, err := s.Find([]byte(path))
	if err != nil {
		return "error: " + err.Error()
	}
	return string(file.Variants[0].Body)
}

func expect(t *testing.T, s *Site, path, want string) {
	t.Helper()
	if got := text(s, path); got != want {
		t.Errorf("%s is %q, want %q", path, got, want)
	}
}

const nothing = "error: file does not exist"

func TestNew(t *testing.T) {
	empty, noFile := t.TempDir(), t.TempDir()
	write(t, filepath.Join(noFile, indexName, "x"), "")
	for name, tt := range map[string]struct {
		opts Options
		want string
	}{
		"no folder named":    {Options{Variants: plain}, "Options.Dir"},
		"no variants":        {Options{Dir: empty}, "Options.Variants"},
		"no such folder":     {Options{Dir: "/no/where", Variants: plain}, `"/no/where": no access`},
		"no index":           {Options{Dir: empty, Variants: plain}, "index.html: no such file"},
		"a folder as index":  {Options{Dir: noFile, Variants: plain}, "index.html is no file"},
		"a file as a folder": {Options{Dir: filepath.Join(noFile, indexName, "x"), Variants: plain}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestCacheControlOfFiles(t *testing.T) {
	s := newSite(t, Options{Dir: folder(t)})
	for path, want := range map[string]File{
		"/":                          {ContentType: "text/html; charset=utf-8", CacheControl: revalidate},
		"/faq":                       {ContentType: "text/html; charset=utf-8", CacheControl: revalidate},
		"/" + script:                 {ContentType: "text/javascript; charset=utf-8", CacheControl: forGood},
		"/assets/index-D1e2F3g4.css": {ContentType: "text/css; charset=utf-8", CacheControl: forGood},
		"/assets/target.js":          {ContentType: "text/javascript; charset=utf-8", CacheControl: forAWhile},
		"/favicon.png":               {ContentType: "image/png", CacheControl: forAWhile},
	} {
		file, err := s.Find([]byte(path))
		if err != nil || file.ContentType != want.ContentType || !bytes.Equal(file.CacheControl, want.CacheControl) {
			t.Errorf("%s: %+v %v", path, file, err)
		}
	}
}

// TestChange holds that a change on the disk is detected after a second, and not
// before.
func TestChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := folder(t)
		s := newSite(t, Options{Dir: dir})
		expect(t, s, "/favicon.png", "this is favicon.png")
		write(t, filepath.Join(dir, "favicon.png"), "this is NEW_con.png") // same length and time
		write(t, filepath.Join(dir, indexName), "a new index")
		time.Sleep(checkEvery - time.Millisecond)
		expect(t, s, "/favicon.png", "this is favicon.png")
		expect(t, s, "/faq", "this is index.html")
		time.Sleep(time.Millisecond)
		expect(t, s, "/favicon.png", "this is NEW_con.png")
		expect(t, s, "/faq", "a new index")
		if n := s.Stats(); n.Files != 2 || n.Bytes != 2*entryBytes+int64(len("this is NEW_con.png"+"a new index")) {
			t.Errorf("%+v", n)
		}
	})
}

// TestGone holds that after a deployment removes files, hashed files are served for
// another day, the index until a new index exists, and other files no longer.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, log := folder(t), &bytes.Buffer{}
		s := newSite(t, Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(log, nil))})
		for _, name := range []string{indexName, script, "favicon.png"} {
			expect(t, s, "/"+name, "this is "+name)
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			time.Sleep(checkEvery)
			expect(t, s, "/", "this is index.html")
			expect(t, s, "/"+script, "this is "+script)
			expect(t, s, "/favicon.png", nothing)
		}
		if n := strings.Count(log.String(), "no index.html any more"); n != 1 {
			t.Errorf("logged %d times: %s", n, log)
		}
		if n := s.Stats().Files; n != 2 {
			t.Errorf("%d files", n)
		}
		time.Sleep(keepGone)
		expect(t, s, "/"+script, nothing)
		expect(t, s, "/", "this is index.html")
		write(t, filepath.Join(dir, indexName), "a new index")
		time.Sleep(checkEvery)
		expect(t, s, "/", "a new index")
	})
}

// TestFolderIsReplaced holds that the folder may be replaced, by mv or a changed link.
// While it is missing, known files are served, and unknown files are not a 404.
func TestFolderIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second, log := folder(t), folder(t), &bytes.Buffer{}
		write(t, filepath.Join(second, indexName), "a new index")
		link := filepath.Join(t.TempDir(), "current")
		s := func() *Site {
			if err := os.Symlink(first, link); err != nil {
				t.Fatal(err)
			}
			return newSite(t, Options{Dir: link, Logger: slog.New(slog.NewTextHandler(log, nil))})
		}()
		expect(t, s, "/favicon.png", "this is favicon.png")
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(checkEvery)
			expect(t, s, "/", "this is index.html")
			expect(t, s, "/favicon.png", "this is favicon.png")
			if _, err := s.Find([]byte("/" + script)); !errors.Is(err, errFolder) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("without a folder: %v", err)
			}
		}
		if n := strings.Count(log.String(), "can't be read"); n != 1 {
			t.Errorf("logged %d times: %s", n, log)
		}
		if err := os.Rename(second, link); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkEvery)
		expect(t, s, "/", "a new index")
	})
}

// TestBeingWritten holds that a file that was just written to, and so may be
// incomplete, must not be cached and does not replace an earlier version.
func TestBeingWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := folder(t)
		s := newSite(t, Options{Dir: dir})
		rewrite := func(name, text string) {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chtimes(path, time.Now(), time.Now())); err != nil {
				t.Fatal(err)
			}
		}
		told := func(path string) string {
			file, err := s.Find([]byte(path))
			if err != nil {
				t.Fatal(err)
			}
			return string(file.CacheControl)
		}
		rewrite(script, "ha")
		rewrite(indexName, "<ht")
		expect(t, s, "/"+script, "ha")
		if got := told("/" + script); got != "no-cache" {
			t.Errorf("half a script: %s", got)
		}
		time.Sleep(checkEvery)
		rewrite(script, "half no more")
		expect(t, s, "/", "this is index.html")
		expect(t, s, "/"+script, "half no more")
		rewrite(indexName, "<html>")
		time.Sleep(quiet)
		expect(t, s, "/", "<html>")
		if got := told("/" + script); got != string(forGood) {
			t.Errorf("the whole script: %s", got)
		}
	})
}

// TestOneLoadForAll holds that concurrent requests for a file that is not in memory
// share one load.
func TestOneLoadForAll(t *testing.T) {
	var loads atomic.Int64
	s := newSite(t, Options{Dir: folder(t), Variants: func(body []byte, compress bool) []cache.Variant {
		loads.Add(1)
		return plain(body, compress)
	}})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { expect(t, s, "/"+script, "this is "+script) })
	}
	all.Wait()
	if n := loads.Load(); n != 2 { // the index and this file
		t.Errorf("%d loads", n)
	}
}

// TestRoom holds that the least recently requested files are evicted, that the index
// is not, and that names without a file leave no entry.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := folder(t)
		s := newSite(t, Options{Dir: dir, Bytes: 3*entryBytes + 500})
		for _, name := range []string{"favicon.png", script, "inside.js", "favicon.png"} {
			time.Sleep(checkEvery)
			expect(t, s, "/"+name, "this is "+name)
			if n := s.Stats(); n.Files > 3 || n.Bytes > s.opts.Bytes {
				t.Errorf("%+v", n)
			}
		}
		for _, name := range []string{indexName, "inside.js", "favicon.png"} {
			if s.files[name] == nil {
				t.Errorf("%s is not in memory", name)
			}
		}
		before := s.Stats()
		for i := range 1000 {
			expect(t, s, "/"+strings.Repeat("x", i%200+1)+".js", nothing)
		}
		if now := s.Stats(); now != before {
			t.Errorf("%+v, before %+v", now, before)
		}
	})
}

// TestLarge holds that a file that is too large for memory is read from the disk, and
// that the result of Find matches the file that Open reads.
func TestLarge(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "film.mp4")
	film := strings.Repeat("x", maxKept+1)
	write(t, path, film)
	s := newSite(t, Options{Dir: dir})
	find := func() *File {
		file, err := s.Find([]byte("/film.mp4"))
		if err != nil || !file.Large() || file.Size != maxKept+1 || len(file.Variants) != 1 || file.Variants[0].Body != nil {
			t.Fatalf("%+v %v", file, err)
		}
		return file
	}
	old := find()
	body, err := s.Open(old)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil || string(got) != film {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	write(t, path, strings.Repeat("y", maxKept+1))
	if _, err := s.Open(old); !errors.Is(err, errChanging) {
		t.Errorf("the old file: %v", err)
	}
	if now := find(); bytes.Equal(now.Variants[0].ETag, old.Variants[0].ETag) {
		t.Error("the new file has the old file's tag")
	}
	if n := s.Stats().Bytes; n > 3*entryBytes {
		t.Errorf("takes %d bytes of memory", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "/film.mp4", nothing)
	if _, err := s.Open(old); err == nil {
		t.Error("opened a removed file")
	}
}

func BenchmarkFind(b *testing.B) {
	s := newSite(b, Options{Dir: folder(b)})
	for _, path := range []string{"/" + script, "/team/123", "/missing.js"} {
		b.Run(strings.TrimPrefix(path, "/"), func(b *testing.B) {
			raw := []byte(path)
			b.ReportAllocs()
			for b.Loop() {
				s.Find(raw)
			}
		})
	}
}
