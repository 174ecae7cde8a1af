package content

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/lewistv/xcri-proxy/cache"
)

// storable are the statuses of the answers that a fill stores.
var storable = []int{200, 400, 404, 501}

// Storable reports whether an answer with a status may be stored.
func Storable(status int) bool { return slices.Contains(storable, status) }

// Absent reports whether an answer has no content: no row matches the request.
func Absent(c *cache.Content) bool { return c.Status != 200 }

// Check returns the reason why this program never stores the answer, or nil.
func Check(c *cache.Content) error {
	switch {
	case !Storable(c.Status):
		return fmt.Errorf("status %d", c.Status)
	case !sound(c):
		return errors.New("its variants differ from the variants that this program makes")
	}
	return nil
}

// sound reports whether bodies are as Variants and a Recoder make them.
func sound(c *cache.Content) bool {
	for i, v := range c.Variants {
		right := v.Coding == ""
		if i != Identity {
			right = slices.Contains(preference[:], v.Coding) && v.Len() > 0
		}
		if !right || !soundETag(v.ETag) {
			return false
		}
	}
	switch len(c.Variants) {
	case 0:
		return false
	case 1:
		body := c.Variants[Identity].Body
		return body != nil && len(body) == c.Size && c.Size <= CompressAbove
	}
	gzipped := &c.Variants[Gzip]
	return !c.Variants[Identity].HasBody() && gzipped.Coding == "gzip" && inflatesTo(gzipped, c.Size)
}

// soundETag reports whether a header may carry tag: printable, in quotes.
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
