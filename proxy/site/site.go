// Package site holds the files of a built single-page app: it finds the one that
// a path asks for, keeps it in memory in all its forms, and notices when it has
// changed. It knows nothing of HTTP but Content-Type and Cache-Control.
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
	// maxKept is the size from which on a file is read from the disk each time.
	maxKept = 4 << 20
	// checkEvery is how often a file that is asked for is compared with the disk.
	checkEvery = time.Second
	// quiet is for how long a file must not have been written to before it is
	// taken to be whole.
	quiet = 2 * time.Second
	// keepGone is for how long a hashed file outlives its removal: for pages
	// that were opened before a deployment and load a part of themselves later.
	keepGone = 24 * time.Hour
	// entryBytes is about what an entry takes beside its bodies.
	entryBytes = 1 << 10
)

// What browsers are told of how long a file stays true.
var (
	forGood    = []byte("public, max-age=31536000, immutable")
	forAWhile  = []byte("public, max-age=3600")
	askEachTry = []byte("no-cache")
)

// Options say what to serve. Dir and Variants are required.
type Options struct {
	// Dir is the folder that holds index.html. It may be replaced by another of
	// that name, or be a symbolic link that is changed, at any time.
	Dir string
	// Variants returns the forms in which a file is kept, the first of them
	// without a coding. It may keep body.
	Variants func(body []byte, compress bool) []cache.Variant
	// Bytes is the most that is kept in memory; zero means 16 MiB. The files
	// that were asked for last stay.
	Bytes int64
	// Logger takes what is wrong with the folder; nil discards it.
	Logger *slog.Logger
}

// Site is one folder. It is safe for concurrent use.
type Site struct {
	opts     Options
	mu       sync.RWMutex
	files    map[string]*entry
	bytes    int64
	loading  sync.Mutex   // one file is read and compressed at a time
	troubled atomic.Int64 // when trouble was logged last; see clock
	clock    clock
}

// clock tells the time since the site was made, in nanoseconds and never zero. The wall
// clock may be set back meanwhile: files would not be looked at until it has caught up.
type clock struct{ began time.Time }

func (c clock) now() int64 { return int64(time.Since(c.began)) + 1 }

// File is what to send for a path. It never changes.
type File struct {
	ContentType  string
	CacheControl []byte
	Size         int64
	// Variants are the forms of the file. The only one of a file that is too
	// large for memory has no body: Site.Open reads it.
	Variants []cache.Variant

	name string
	info fs.FileInfo
}

// Large reports whether the file has to be read by Site.Open.
func (f *File) Large() bool { return f.Size > maxKept }

// entry is a file that was asked for.
type entry struct {
	*File
	fresh   bool         // was written to so shortly before that it may not be whole
	checked atomic.Int64 // when it was last compared with the disk; see clock
	gone    atomic.Int64 // since when it is not on the disk; zero while it is
}

// New returns the site in a folder. It is an error if that has no index.html.
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

// Find returns the file that a raw path below the site asks for: index.html for
// routes of the app. The error is fs.ErrNotExist if there is nothing that may be
// served; after any other the file may be there when it is tried again.
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

// due reports whether it is now the caller's turn to compare the entry with the disk.
func (e *entry) due(now int64) bool {
	last := e.checked.Load()
	if e.Large() {
		e.checked.Store(now)
		return true
	}
	return now-last >= int64(checkEvery) && e.checked.CompareAndSwap(last, now)
}

// Stats are figures of a moment.
type Stats struct {
	Files int64 // that were asked for and are known
	Bytes int64 // of memory that they take, in all their forms
}

// Stats returns the figures of this moment.
func (s *Site) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Stats{int64(len(s.files)), s.bytes}
}
