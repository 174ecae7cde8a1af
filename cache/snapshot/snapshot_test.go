package snapshot

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/atomicfile"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

// generation holds every entry.
type generation struct{}

func (generation) ID() string              { return "1" }
func (generation) Holds(*cache.Entry) bool { return true }

// newCache returns a cache whose answers have bodies of size bytes; shape, if not nil,
// changes an answer.
func newCache(t testing.TB, size int, shape func(key string, c *cache.Content)) *cache.Cache {
	t.Helper()
	c, err := cache.New(cache.Options{
		Bytes:  32 << 20,
		Absent: func(c *cache.Content) bool { return c.Status != 200 },
		Fill: func(_ context.Context, key string) (cache.Content, error) {
			content := cache.Content{Status: 200, Size: size, Scope: "2025", Generation: "1", Variants: []cache.Variant{{Body: make([]byte, size), ETag: []byte(`"0"`)}}}
			if shape != nil {
				shape(key, &content)
			}
			return content, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func publish(c *cache.Cache, keys ...string) {
	c.Prepare(context.Background(), generation{}, keys, func(cache.Warmed) {})
	c.Publish(generation{}, keys)
}

func lists(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprint("list?", i))
	}
	return keys
}

func get(t testing.TB, c *cache.Cache, key string) (*cache.Entry, cache.Outcome) {
	t.Helper()
	e, outcome, err := c.Get(&cache.Ref{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return e, outcome
}

// warmAndHot returns a cache with a warm set and a hot entry, whose entries cover
// every kind of content.
func warmAndHot(t testing.TB) *cache.Cache {
	c := newCache(t, 20, func(key string, c *cache.Content) {
		switch key {
		case "list?0":
			c.Size = 10
			c.Variants = []cache.Variant{{ETag: []byte(`"x"`)}, {Coding: "gzip", Body: []byte("\x1f\x8b"), ETag: []byte(`"x-gzip"`)}, {Coding: "br", Body: []byte{}}}
		case "list?1":
			c.Status, c.Scope, c.Generation = 404, "*/ü/*", ""
		}
	})
	publish(c, "list?0", "list?1", "list?\n", "list?2")
	for range 8 {
		get(t, c, "team?1")
		get(t, c, "list?2")
	}
	get(t, c, "page?1") // in the tail
	c.Purge(func(e *cache.Entry) bool { return e.Key == "list?\n" }, false)
	if where := c.Peek(&cache.Ref{Key: "team?1"}).Where; where != "hot" {
		t.Fatalf("in the part %q", where)
	}
	return c
}

func save(t testing.TB, c *cache.Cache, path string) []byte {
	t.Helper()
	if n, err := Save(path, "test", "a note", c.Export()); n == 0 || err != nil {
		t.Fatalf("%d entries, %v", n, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// alone checks that a file is the only file in its folder.
func alone(t testing.TB, path string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 || files[0].Name() != filepath.Base(path) {
		t.Errorf("in the folder: %v, error %v", files, err)
	}
}

// Entries are unchanged after they are saved, loaded, adopted and saved again.
func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache [*?]")
	c := warmAndHot(t)
	if err := os.WriteFile(path, []byte("older"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	data := save(t, c, path)
	if info, _ := os.Stat(path); info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	alone(t, path)

	file, err := Load(path, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if file.By != "test" || file.Note != "a note" || file.At.Before(before) || file.At.After(time.Now()) || file.Size != int64(len(data)) {
		t.Errorf("by %s at %v, %d bytes", file.By, file.At, file.Size)
	}
	var keys []string
	for _, s := range file.Entries {
		keys = append(keys, s.Key)
		now := c.Peek(&cache.Ref{Key: s.Key})
		want := now.Entry
		if !s.Filled.Equal(want.Filled) || s.Took != want.Took || !reflect.DeepEqual(s.Content, want.Content) {
			t.Errorf("got  %+v\nwant %+v", s, want)
		}
		if s.Asked != now.Asked || s.Warm != (now.Where == "warm") || s.Purged != (s.Key == "list?\n") {
			t.Errorf("%s: %+v, want as %+v", s.Key, s, now)
		}
	}
	if want := []string{"list?2", "list?\n", "list?0", "list?1", "team?1"}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}

	next := newCache(t, 20, nil)
	next.Adopt(file.Entries)
	again, err := Load(path, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	save(t, next, path)
	if now, err := Load(path, 1<<30); err != nil || !reflect.DeepEqual(now.Entries, again.Entries) {
		t.Errorf("saved again: %v, other entries than before: %+v", err, now.Entries)
	}
}

// Entries that do not fit in a smaller cache are left out, the least requested first.
func TestLoadInLessRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache")
	c := newCache(t, 10<<10, nil)
	publish(c, lists(40)...)
	for i := range 5 {
		get(t, c, fmt.Sprint("list?", i))
	}
	save(t, c, path)
	file, err := Load(path, 100<<10)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(file.Entries); n != 9 || file.Entries[0].Asked == 0 {
		t.Errorf("%d entries of 10 KB in 100 KB, the first requested %d times", n, file.Entries[0].Asked)
	}
}

// A cache without a warm set does not replace a saved file.
func TestSaveNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache")
	data := save(t, warmAndHot(t), path)
	c := newCache(t, 10, nil)
	for range 8 {
		get(t, c, "page?1")
	}
	exported := c.Export()
	if len(exported) != 1 {
		t.Fatalf("%d entries are exported", len(exported))
	}
	for _, exported := range [][]cache.Saved{nil, exported} {
		if n, err := Save(path, "", "", exported); n != 0 || err != nil {
			t.Errorf("%d entries, %v", n, err)
		}
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, data) {
		t.Error("another file")
	}
}

// Remove removes a file, and does nothing if there is none.
func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache")
	save(t, warmAndHot(t), path)
	for range 2 {
		if err := Remove(path); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("still there: %v", err)
		}
	}
	if err := Remove(filepath.Join(path, "in no folder")); err != nil {
		t.Error(err)
	}
}

var fileErrors = []error{ErrForeign, ErrVersion, ErrDamaged}

// A file that is cut anywhere, longer, or has any bit flipped is refused.
func TestDamage(t *testing.T) {
	data := save(t, warmAndHot(t), filepath.Join(t.TempDir(), "cache"))
	check := func(what string, at int, data []byte, want ...error) {
		t.Helper()
		file, err := read(bytes.NewReader(data), int64(len(data)), 1<<30)
		if file != nil || !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
			t.Errorf("%s at %d of %d: %v", what, at, len(data), err)
		}
	}
	for n := range data {
		check("cut", n, data[:n], ErrDamaged)
	}
	check("more", len(data), append(bytes.Clone(data), 0), ErrDamaged)
	for i := range data {
		want := []error{ErrDamaged}
		if i < len(header) {
			want = []error{ErrForeign, ErrVersion}
		}
		for bit := range 8 {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << bit
			check(fmt.Sprintf("bit %d", bit), i, flipped, want...)
		}
	}
}

// signed returns a file of the right format and checksum with any body.
func signed(body string) []byte {
	data := []byte(header + body)
	sum := sha256.Sum256(data)
	return append(data, sum[:]...)
}

// allocated returns the number of bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A length that exceeds the file reserves no memory, even if the checksum is right.
func TestLengths(t *testing.T) {
	for name, write := range map[string]func(writer){
		"text":     func(w writer) { w.number(1); w.number(1 << 40) },
		"below 0":  func(w writer) { w.number(1); w.number(-2) },
		"variants": func(w writer) { entryUpTo(w); w.number(1 << 40) },
		"none":     func(w writer) { entryUpTo(w); w.number(0); w.number(markEnd) },
		"body": func(w writer) {
			entryUpTo(w)
			w.number(1)
			w.text("")
			w.bytes(nil)
			w.number(1 << 29)
		},
		"varint": func(w writer) { w.Write(bytes.Repeat([]byte{0xff}, 20)) },
		"mark":   func(w writer) { w.number(1); w.text(""); w.text(""); w.number(7); w.number(0) },
		"after":  func(w writer) { w.number(1); w.text(""); w.text(""); w.number(markEnd); w.number(0) },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w := writer{bufio.NewWriter(&b)}
			write(w)
			w.Flush()
			data := signed(b.String())
			var err error
			n := allocated(func() { _, err = read(bytes.NewReader(data), int64(len(data)), 1<<30) })
			if !errors.Is(err, ErrDamaged) || n > 1<<20 {
				t.Errorf("%v, %d bytes allocated", err, n)
			}
		})
	}
}

// entryUpTo writes the part of an entry before the number of its variants.
func entryUpTo(w writer) {
	w.number(1)
	w.text("test")
	w.number(markEntry)
	for range 3 {
		w.number(0)
	}
	w.text("key")
	w.number(200)
	w.number(0)
	w.text("")
	w.text("")
	w.text("")
	w.number(0)
	w.number(0)
}

// Load refuses a file that is not a cache file, with the reason.
func TestLoadRefuses(t *testing.T) {
	folder := t.TempDir()
	good := filepath.Join(folder, "good")
	data := save(t, warmAndHot(t), good)
	in := func(name string) string { return filepath.Join(folder, name) }
	for name, tt := range map[string]struct {
		make func(path string) error
		want error
	}{
		"missing":   {func(string) error { return nil }, fs.ErrNotExist},
		"empty":     {func(p string) error { return os.WriteFile(p, nil, 0o600) }, ErrDamaged},
		"short":     {func(p string) error { return os.WriteFile(p, []byte("hello\n"), 0o600) }, ErrForeign},
		"foreign":   {func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("hello\n"), 99), 0o600) }, ErrForeign},
		"later":     {func(p string) error { return os.WriteFile(p, []byte(kind+"22\nand more"), 0o600) }, ErrVersion},
		"half":      {func(p string) error { return os.WriteFile(p, data[:len(data)/2], 0o600) }, ErrDamaged},
		"directory": {func(p string) error { return os.Mkdir(p, 0o700) }, ErrForeign},
		"device":    {func(p string) error { return os.Symlink("/dev/zero", p) }, ErrForeign},
		"loop":      {func(p string) error { return os.Symlink(p, p) }, ErrForeign},
		"pipe":      {func(p string) error { return syscall.Mkfifo(p, 0o600) }, ErrForeign},
		"huge": {func(p string) error {
			return errors.Join(os.WriteFile(p, data, 0o600), os.Truncate(p, largest+1))
		}, ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.make(in(name)); err != nil {
				t.Fatal(err)
			}
			file, err := Load(in(name), 1<<30)
			if file != nil || !errors.Is(err, tt.want) || !strings.Contains(err.Error(), in(name)) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		need.OrdinaryUser(t)
		os.WriteFile(in("unreadable"), data, 0)
		if _, err := Load(in("unreadable"), 1<<30); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("got %v", err)
		}
	})
}

// A failed save leaves the old file and no other file.
func TestSaveFails(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "cache")
	c := warmAndHot(t)
	data := save(t, c, path)
	full := errors.New("no space left")
	for name, write := range map[string]func(io.Writer) error{
		"the first byte": func(io.Writer) error { return full },
		"half-way":       func(w io.Writer) error { w.Write(data[:len(data)/2]); return full },
		"the last bytes": func(w io.Writer) error {
			return writeEntries(&limited{w, 100, full}, "test", "a note", c.Export())
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := atomicfile.Replace(path, 0o600, write); !errors.Is(err, full) {
				t.Errorf("got %v", err)
			}
			if now, err := os.ReadFile(path); !bytes.Equal(now, data) {
				t.Errorf("another file, %v", err)
			}
			alone(t, path)
		})
	}
	t.Run("no folder", func(t *testing.T) {
		if _, err := Save(filepath.Join(folder, "nowhere", "cache"), "", "", c.Export()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a folder in its place", func(t *testing.T) {
		taken := filepath.Join(t.TempDir(), "cache")
		os.Mkdir(taken, 0o700)
		if _, err := Save(taken, "", "", c.Export()); err == nil {
			t.Error("no error")
		}
		alone(t, taken)
	})
	t.Run("read-only folder", func(t *testing.T) {
		need.OrdinaryUser(t)
		os.Chmod(folder, 0o500)
		defer os.Chmod(folder, 0o700)
		if _, err := Save(path, "", "", c.Export()); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("got %v", err)
		}
	})
}

// limited is a writer that fails after a number of bytes.
type limited struct {
	io.Writer
	left int
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, l.err
	}
	l.left -= len(p)
	return l.Writer.Write(p)
}

// killedAt names the variable with the path to save at, for the process that
// TestSaveKilled starts.
const killedAt = "XCRI_TEST_KILLED_AT"

// A process that is killed during a save leaves the old file unchanged. A later save
// removes its temporary file, but not while another process may still be writing it.
func TestSaveKilled(t *testing.T) {
	if path := os.Getenv(killedAt); path != "" {
		atomicfile.Replace(path, 0o600, func(w io.Writer) error {
			w.Write([]byte(header + "half a"))
			fmt.Println("half-way")
			select {}
		})
	}
	path := filepath.Join(t.TempDir(), "cache")
	c := warmAndHot(t)
	data := save(t, c, path)
	child := exec.Command(os.Args[0], "-test.run=^TestSaveKilled$")
	child.Env = append(os.Environ(), killedAt+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("half-way"))); err != nil {
		t.Error(err)
	}
	child.Process.Kill()
	child.Wait()
	if now, err := os.ReadFile(path); !bytes.Equal(now, data) {
		t.Errorf("another file, %v", err)
	}
	left, _ := filepath.Glob(path + ".*")
	if len(left) != 1 {
		t.Fatalf("left behind: %v", left)
	}
	save(t, c, path)
	if _, err := os.Stat(left[0]); err != nil {
		t.Errorf("a young file of another process: %v", err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(left[0], old, old); err != nil {
		t.Fatal(err)
	}
	save(t, c, path)
	alone(t, path)
}

// The target of a link is replaced and loaded, and the link stays.
func TestSaveToLink(t *testing.T) {
	path, elsewhere := filepath.Join(t.TempDir(), "cache"), filepath.Join(t.TempDir(), "other")
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		data := save(t, warmAndHot(t), path)
		if now, err := os.ReadFile(elsewhere); !bytes.Equal(now, data) {
			t.Errorf("%d bytes, %v", len(now), err)
		}
		if to, err := os.Readlink(path); to != elsewhere || err != nil {
			t.Errorf("the link leads to %s, %v", to, err)
		}
		if _, err := Load(path, 1<<30); err != nil {
			t.Error(err)
		}
	}
}

// Concurrent saves run one after the other, while readers and publishes go on.
func TestSaveWhileInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache")
	c := newCache(t, 1<<10, nil)
	publish(c, lists(50)...)
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	busy.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			get(t, c, fmt.Sprint("list?", n%50))
			get(t, c, fmt.Sprint("page?", n%30))
		}
	})
	busy.Go(func() {
		for ctx.Err() == nil {
			publish(c, lists(50)...)
		}
	})
	var saves sync.WaitGroup
	for range 4 {
		saves.Go(func() {
			for range 5 {
				if n, err := Save(path, "", "", c.Export()); n < 50 || err != nil {
					t.Errorf("%d entries, %v", n, err)
				}
				if file, err := Load(path, 1<<30); err != nil || len(file.Entries) < 50 {
					t.Errorf("loaded: %v", err)
				}
			}
		})
	}
	saves.Wait()
	stop()
	busy.Wait()
	alone(t, path)
}

// fullCache returns a cache with a warm set of production's size: 13 MB in 42 lists.
func fullCache(t testing.TB) *cache.Cache {
	c := newCache(t, 320<<10, nil)
	publish(c, lists(42)...)
	return c
}

// A save of 13 MB blocks no request.
func TestSaveBlocksNoRequest(t *testing.T) {
	c := fullCache(t)
	path := filepath.Join(t.TempDir(), "cache")
	saved := make(chan time.Duration)
	go func() {
		start := time.Now()
		save(t, c, path)
		saved <- time.Since(start)
	}()
	requests, slowest := 0, time.Duration(0)
	for {
		select {
		case took := <-saved:
			t.Logf("saved in %v; meanwhile %d requests, the slowest %v", took, requests, slowest)
			start := time.Now()
			file, err := Load(path, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d entries of %d bytes loaded in %v", len(file.Entries), file.Size, time.Since(start))
			return
		default:
			start := time.Now()
			if _, outcome := get(t, c, fmt.Sprint("list?", requests%42)); outcome != cache.Hit {
				t.Fatal(outcome)
			}
			requests, slowest = requests+1, max(slowest, time.Since(start))
		}
	}
}

func BenchmarkSave(b *testing.B) {
	c := fullCache(b)
	path := filepath.Join(b.TempDir(), "cache")
	b.SetBytes(int64(len(save(b, c, path))))
	for b.Loop() {
		save(b, c, path)
	}
}

func BenchmarkLoad(b *testing.B) {
	path := filepath.Join(b.TempDir(), "cache")
	b.SetBytes(int64(len(save(b, fullCache(b), path))))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(path, 1<<30); err != nil {
			b.Fatal(err)
		}
	}
}

// Load returns entries or an error for any bytes, and uses no more memory than the
// bytes can account for.
func FuzzLoad(f *testing.F) {
	c := warmAndHot(f)
	var b bytes.Buffer
	if err := writeEntries(&b, "test", "a note", c.Export()); err != nil {
		f.Fatal(err)
	}
	good := b.Bytes()
	f.Add(good)
	f.Add(good[len(header) : len(good)-sha256.Size])
	f.Add([]byte(kind + "3\n"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, signed(string(data))} {
			var file *File
			var err error
			used := allocated(func() { file, err = read(bytes.NewReader(data), int64(len(data)), 1<<30) })
			if most := uint64(1<<20 + 100*len(data)); used > most {
				t.Errorf("%d bytes of memory for %d", used, len(data))
			}
			if err != nil {
				if file != nil || !slices.ContainsFunc(fileErrors, func(e error) bool { return errors.Is(err, e) }) {
					t.Errorf("file %v, error %v", file, err)
				}
				continue
			}
			var again bytes.Buffer
			if err := writeEntries(&again, file.By, file.Note, file.Entries); err != nil {
				t.Fatal(err)
			}
			if next, err := read(&again, int64(again.Len()), 1<<30); err != nil || !reflect.DeepEqual(next.Entries, file.Entries) {
				t.Errorf("written again: %v", err)
			}
		}
	})
}
