package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/lewistv/xcri-proxy/cache"
)

// Save writes what is worth having at the next start to a file; see cache.Save.
func (p *Proxy) Save(path string) (entries int, err error) { return p.cache.Save(path, p.opts.Version) }

// adopt puts what an earlier run saved in the cache, as far as this one could
// have put it there.
func (p *Proxy) adopt(saved []cache.Saved) {
	usable := make([]cache.Saved, 0, len(saved))
	for _, s := range saved {
		if p.usable(s.Entry) {
			usable = append(usable, s)
		}
	}
	if n := len(saved) - len(usable); n > 0 {
		p.opts.Logger.Warn("saved answers left out: this program would store them in another way", "entries", n)
	}
	p.cache.Adopt(usable)
}

// usable reports whether an entry is one that a fill of its key could have
// made. The keys and scopes of another version of this program, or the bodies
// of another program, may be different.
func (p *Proxy) usable(e *cache.Entry) bool {
	q, err := p.router.Resolve(e.Key)
	return err == nil && q.Key == e.Key && q.Query.Scope().String() == e.Scope && checkContent(&e.Content) == nil
}

// checkContent returns why an answer is none that this program stores.
func checkContent(c *cache.Content) error {
	switch {
	case !slices.Contains(storedStatuses, c.Status):
		return fmt.Errorf("status %d", c.Status)
	case !sound(c):
		return errors.New("its variants are not those that this program makes")
	}
	return nil
}

// storedStatuses are those of the store's answers.
var storedStatuses = []int{200, 400, 404, 501}

// sound reports whether an entry's bodies are as variants and recode make them.
func sound(e *cache.Content) bool {
	for i, v := range e.Variants {
		right := v.Coding == ""
		if i != identity {
			right = slices.Contains(preference[:], v.Coding) && v.Len() > 0
		}
		if !right || !soundETag(v.ETag) {
			return false
		}
	}
	switch len(e.Variants) {
	case 0:
		return false
	case 1:
		body := e.Variants[identity].Body
		return body != nil && len(body) == e.Size && e.Size <= compressAbove
	}
	gzipped := &e.Variants[gzipVariant]
	return !e.Variants[identity].HasBody() && gzipped.Coding == "gzip" && inflatesTo(gzipped, e.Size)
}

// soundETag reports whether tag may stand in a header: printable, in quotes.
func soundETag(tag []byte) bool {
	if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return false
	}
	return !slices.ContainsFunc(tag[1:len(tag)-1], func(c byte) bool { return c <= ' ' || c == '"' || c > '~' })
}

// inflatesTo reports whether the length that ends a gzip body is size: clients that
// get the body inflated rely on it.
func inflatesTo(gzipped *cache.Variant, size int) bool {
	const header, trailer = 10, 8
	if gzipped.Len() <= header+trailer {
		return false
	}
	var ends [6]byte // the magic number and the length
	from := gzipped.Reader()
	if _, err := from.ReadAt(ends[:2], 0); err != nil {
		return false
	}
	if _, err := from.ReadAt(ends[2:], int64(gzipped.Len()-4)); err != nil && err != io.EOF {
		return false
	}
	return ends[0] == 0x1f && ends[1] == 0x8b && binary.LittleEndian.Uint32(ends[2:]) == uint32(size)
}
