// Package site serves the files of a built single-page app: it resolves a path to a
// file, keeps the file in memory in all its variants, and detects changes. Of HTTP
// it handles only Content-Type and Cache-Control.
package site

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
)

const (
	// maxKept is the maximum size of a file in memory. Larger files are read from
	// the disk for each request.
	maxKept = 4 << 20
	// checkEvery is the minimum interval between two comparisons of a requested file with
	// the disk, unless the file is large.
	checkEvery = time.Second
	// quiet is the time since the last write after which a file counts as complete.
	quiet = 2 * time.Second
	// keepGone is the time for which a hashed file is served after its removal, for pages
	// that were opened before a deployment and load their parts later.
	keepGone = 24 * time.Hour
	// entryBytes is the approximate size of an entry without its bodies.
	entryBytes = 1 << 10
)

// The values of Cache-Control.
var (
	forGood    = []byte("public, max-age=31536000, immutable")
	forAWhile  = []byte("public, max-age=3600")
	revalidate = []byte("no-cache")
)

// Options configure a Site. Dir and Variants are required.
type Options struct {
	// Dir is the folder with index.html. It may be replaced by another folder of the
	// same name, or be a symbolic link that is changed, at any time.
	Dir string
	// Variants returns the variants of a file, first the variant without a coding.
	// It may keep body.
	Variants func(body []byte, compress bool) []cache.Variant
	// Bytes is the memory budget; zero means 16 MiB. The least recently requested
	// files are evicted first.
	Bytes int64
	// Logger receives errors of the folder; nil discards them.
	Logger *slog.Logger
}

// Site serves the files of a folder. It is safe for concurrent use.
type Site struct {
	opts     Options
	mu       sync.RWMutex
	files    map[string]*entry
	bytes    int64
	loading  sync.Mutex   // one file is read and compressed at a time
	troubled atomic.Int64 // time of the last logged error; see clock
	clock    clock
}

// clock returns the time since the Site was created, in nanoseconds, never zero. It is
// monotonic: with a wall clock that is set back, files would not be checked until it
// has caught up.
type clock struct{ began time.Time }

func (c clock) now() int64 { return int64(time.Since(c.began)) + 1 }

// File is the answer to a path. It is immutable.
type File struct {
	ContentType  string
	CacheControl []byte
	Size         int64
	// Variants are the variants of the file. A file that is too large for memory has
	// one variant without a body: Site.Open reads it.
	Variants []cache.Variant

	name string
	info fs.FileInfo
}

// Large reports whether the body must be read with Site.Open.
func (f *File) Large() bool { return f.Size > maxKept }

// entry is a file that was requested.
type entry struct {
	*File
	recent  bool         // written to within the quiet time, so it may be incomplete
	checked atomic.Int64 // time of the last comparison with the disk; see clock
	gone    atomic.Int64 // time of the detected removal; zero while the file exists
}

// New returns a Site for a folder. It returns an error if the folder has no
// index.html.
func New(opts Options) (*Site, error) {
	if opts.Dir == "" || opts.Variants == nil {
		return nil, errors.New("site: Options.Dir or Options.Variants is missing")
	}
	if opts.Bytes == 0 {
		opts.Bytes = 16 << 20
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Site{opts: opts, files: map[string]*entry{}, clock: clock{time.Now()}}
	if _, err := s.load(indexName, nil); err != nil {
		return nil, fmt.Errorf("folder %q: %w", opts.Dir, err)
	}
	return s, nil
}

// Find returns the file for a raw path below the site: index.html for routes of the
// app. The error is fs.ErrNotExist if no file may be served for the path. Any other
// error is temporary.
func (s *Site) Find(path []byte) (*File, error) {
	name, ok := resolve(path)
	if !ok {
		return nil, fs.ErrNotExist
	}
	s.mu.RLock()
	e := s.files[string(name)]
	s.mu.RUnlock()
	var err error
	if e == nil {
		e, err = s.first(string(name))
	} else if e.due(s.clock.now()) {
		e, err = s.check(e)
	}
	if err != nil {
		return nil, err
	}
	return e.File, nil
}

// due reports whether the caller must compare the entry with the disk: one caller in each
// interval, or each caller for a large file.
func (e *entry) due(now int64) bool {
	last := e.checked.Load()
	if e.Large() {
		e.checked.Store(now)
		return true
	}
	return now-last >= int64(checkEvery) && e.checked.CompareAndSwap(last, now)
}

// Stats are the current figures of a Site.
type Stats struct {
	Files int64 // entries
	Bytes int64 // memory of the entries with all variants
}

// Stats returns the current figures.
func (s *Site) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Stats{int64(len(s.files)), s.bytes}
}
