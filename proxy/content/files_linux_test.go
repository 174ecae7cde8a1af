package content

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// released checks that after the last Release all memory files are closed.
func released(t *testing.T, memory *memfile.Memory, variants []cache.Variant) {
	t.Helper()
	for i := range variants {
		variants[i].Release()
	}
	if memory.Files() != 0 {
		t.Errorf("%d files are left", memory.Files())
	}
}

// TestFilesFrom: a body moves to a memory file from FileFrom bytes on.
func TestFilesFrom(t *testing.T) {
	var memory memfile.Memory
	variants := []cache.Variant{{}, {Body: make([]byte, FileFrom-1)}, {Body: make([]byte, FileFrom)}}
	if !addFiles(&memory, variants) || variants[1].File != nil || variants[2].File == nil || variants[2].Body != nil || memory.Files() != 1 {
		t.Errorf("%d files", memory.Files())
	}
	released(t, &memory, variants)
	if addFiles(&memory, variants[:2]) {
		t.Error("it reports a file that is none")
	}
}

// TestNoFiles: without memory files a body stays on the heap.
func TestNoFiles(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	var memory memfile.Memory
	variants := []cache.Variant{{Body: make([]byte, FileFrom)}}
	moved := addFiles(&memory, variants)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if moved || variants[0].File != nil || len(variants[0].Body) != FileFrom || memory.Files() != 0 {
		t.Errorf("moved %t, %d files", moved, memory.Files())
	}
}

// TestRecoderMovesBrotli: a large body that has its form in brotli already, as after a
// restart, still moves to memory files.
func TestRecoderMovesBrotli(t *testing.T) {
	var memory memfile.Memory
	body := randomBody(FileFrom)
	e := &cache.Entry{Content: cache.Content{Status: 200, Size: len(body), Variants: OfFile(body, true)}}
	better := Recoder(&memory, nil)(e)
	if better == nil || better[Gzip].File == nil || memory.Files() == 0 {
		t.Fatalf("%q, %d files", codings(better), memory.Files())
	}
	released(t, &memory, better)
}

// TestInflateReleases: a body that was read, or can't be, is held no longer, and a body that
// is gone has no plain form.
func TestInflateReleases(t *testing.T) {
	var memory memfile.Memory
	body := randomBody(FileFrom)
	variants := Variants(body)
	addFiles(&memory, variants)
	if variants[Gzip].File == nil || plain(variants, len(body)) == nil {
		t.Fatal("no plain body")
	}
	released(t, &memory, variants)
	if better, added := withBrotli(variants, len(body)); plain(variants, len(body)) != nil || added || codings(better) != codings(variants) {
		t.Error("a body that is gone is inflated")
	}

	broken := []cache.Variant{{Coding: "gzip", Body: body}}
	addFiles(&memory, broken)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		Inflate(&broken[0])
	}()
	released(t, &memory, broken)
}

// TestShrinkerHolds: the variants of a smaller form hold the memory files that they share
// with the form before.
func TestShrinkerHolds(t *testing.T) {
	var memory memfile.Memory
	body := proxytest.List(LargeBody + 1)
	e := &cache.Entry{Content: cache.Content{Status: 200, Size: len(body), Variants: OfFile(body, true)}}
	file, err := memory.New(e.Variants[Gzip].Body)
	if err != nil {
		t.Fatal(err)
	}
	e.Variants[Gzip].Body, e.Variants[Gzip].File = nil, file
	better := Shrinker(&memory, nil).Make(e, func() bool { return true })
	if better == nil {
		t.Fatal("no smaller form")
	}
	for i := range better {
		better[i].Release()
	}
	if memory.Files() != 1 {
		t.Errorf("%d files, want the entry's own", memory.Files())
	}
	released(t, &memory, e.Variants)
}
