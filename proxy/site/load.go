package site

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/lewistv/xcri-proxy/cache"
)

// first loads a file that is not in memory. A name without a file costs one access to the
// disk and leaves no entry.
func (s *Site) first(name string) (*entry, error) {
	if _, err := s.stat(name); err != nil {
		return nil, s.missing(name, err)
	}
	e, err := s.load(name, nil)
	if err != nil {
		return nil, s.missing(name, err)
	}
	return e, nil
}

// check compares an entry with the disk and returns the file to serve. Concurrent
// callers get the unchanged entry.
func (s *Site) check(e *entry) (*entry, error) {
	info, err := s.stat(e.name)
	if err == nil {
		e.gone.Store(0)
		if e.stands(info) {
			return e, nil
		}
		var changed *entry
		if changed, err = s.load(e.name, e); err == nil {
			return changed, nil
		}
	}
	if err = s.missing(e.name, err); !errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	return s.outlive(e)
}

// stands reports whether an entry need not be loaded again: its file is unchanged,
// or is being written to while the entry holds the complete earlier version.
func (e *entry) stands(info fs.FileInfo) bool {
	if same(info, e.info) {
		return !e.recent || isRecent(info)
	}
	return isRecent(info) && !e.recent && !e.Large()
}

// outlive decides on an entry whose file was removed: the index stays until a new
// index exists, and a hashed file stays for pages that still refer to it.
func (s *Site) outlive(e *entry) (*entry, error) {
	now := s.clock.now()
	first := e.gone.CompareAndSwap(0, now)
	switch {
	case e.Large():
	case e.name == indexName:
		if first {
			s.opts.Logger.Error("the site has no index.html any more, serving the last version", "folder", s.opts.Dir)
		}
		return e, nil
	case isHashed([]byte(e.name)) && now-e.gone.Load() < int64(keepGone):
		return e, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[e.name] == e {
		s.drop(e)
	}
	return nil, fs.ErrNotExist
}

// load reads a file and replaces old with it, unless another caller has already done
// so.
func (s *Site) load(name string, old *entry) (*entry, error) {
	s.loading.Lock()
	defer s.loading.Unlock()
	s.mu.RLock()
	e := s.files[name]
	s.mu.RUnlock()
	if e != nil && e != old {
		return e, nil
	}
	e, err := s.read(name)
	if err != nil {
		return nil, err
	}
	s.keep(e)
	return e, nil
}

// read returns a new entry for a file.
func (s *Site) read(name string) (*entry, error) {
	f, info, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	kind := types[string(extension([]byte(name)))]
	e := &entry{File: &File{ContentType: kind.content, Size: info.Size(), name: name, info: info}, recent: isRecent(info)}
	e.CacheControl = e.cacheControl()
	e.checked.Store(s.clock.now())
	if e.Large() {
		e.Variants = []cache.Variant{{ETag: fmt.Appendf(nil, `"%x-%x"`, info.ModTime().UnixNano(), info.Size())}}
		return e, nil
	}
	body := make([]byte, info.Size())
	if _, err := io.ReadFull(f, body); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if after, err := f.Stat(); err != nil || !same(after, info) {
		return nil, fmt.Errorf("read %s: %w", name, errors.Join(errChanging, err))
	}
	e.Variants = s.opts.Variants(body, kind.compress)
	return e, nil
}

// cacheControl returns the value of Cache-Control. A file that may be incomplete must
// not be cached for a year.
func (e *entry) cacheControl() []byte {
	switch {
	case e.recent || string(extension([]byte(e.name))) == "html":
		return revalidate
	case isHashed([]byte(e.name)):
		return forGood
	}
	return forAWhile
}

// keep stores an entry and evicts others until the budget holds.
func (s *Site) keep(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.files[e.name]; old != nil {
		s.drop(old)
	}
	s.files[e.name] = e
	s.bytes += e.kept()
	for s.bytes > s.opts.Bytes {
		idle := s.idlest(e)
		if idle == nil {
			return
		}
		s.drop(idle)
	}
}

// idlest returns the least recently requested entry, other than the index and the
// named entry.
func (s *Site) idlest(but *entry) (idlest *entry) {
	for _, e := range s.files {
		if e != but && e.name != indexName && (idlest == nil || e.checked.Load() < idlest.checked.Load()) {
			idlest = e
		}
	}
	return idlest
}

func (s *Site) drop(e *entry) {
	delete(s.files, e.name)
	s.bytes -= e.kept()
}

// kept returns the memory of the file in bytes.
func (f *File) kept() int64 {
	n := int64(entryBytes)
	for _, v := range f.Variants {
		n += v.Cost()
	}
	return n
}
