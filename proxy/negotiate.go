package proxy

import (
	"bytes"

	"github.com/lewistv/xcri-proxy/cache"
)

// preference orders the codings that a client likes equally, best first.
// Brotli is the smallest of them, and zstd is smaller than gzip.
var preference = [...]string{"br", "zstd", "gzip"}

// negotiate returns the index of the variant to send for an Accept-Encoding
// header. Identity is the last resort also where the client refuses it: a body
// in a coding that it does not know tells it less.
func negotiate(variants []cache.Variant, accept []byte) int {
	best, bestWeight := identity, codingWeight(accept, "identity")
	for _, coding := range preference {
		for i := range variants {
			if variants[i].Coding != coding {
				continue
			}
			if w := codingWeight(accept, coding); w > bestWeight || w > 0 && w == bestWeight && best == identity {
				best, bestWeight = i, w
			}
		}
	}
	return best
}

// codingWeight returns the weight of a coding in thousandths: its own, or that
// of *. Identity is worth a thousandth where nothing is said of it.
// Source: RFC 9110, 12.5.3.
func codingWeight(accept []byte, coding string) int {
	other := 0
	if coding == "identity" {
		other = 1
	}
	for more := len(accept) > 0; more; {
		var item []byte
		item, accept, more = bytes.Cut(accept, []byte(","))
		name, params, _ := bytes.Cut(item, []byte(";"))
		name = bytes.TrimSpace(name)
		switch {
		case equalFold(name, coding), coding == "gzip" && equalFold(name, "x-gzip"):
			return weight(params)
		case string(name) == "*":
			other = weight(params)
		}
	}
	return other
}

// weight reads ";q=0.5" as 500; without it, or where it is no number, a coding
// weighs 1000.
func weight(params []byte) int {
	q := bytes.TrimSpace(params)
	if len(q) < 3 || q[0]|0x20 != 'q' || q[1] != '=' {
		return 1000
	}
	whole, fraction, _ := bytes.Cut(q[2:], []byte("."))
	if len(whole) != 1 || whole[0] != '0' && whole[0] != '1' {
		return 1000
	}
	n, unit := int(whole[0]-'0')*1000, 100
	for _, c := range fraction {
		if c < '0' || c > '9' {
			break
		}
		n, unit = n+int(c-'0')*unit, unit/10
	}
	return min(n, 1000)
}

// equalFold compares with a lower-case ASCII text.
func equalFold(s []byte, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i, c := range s {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// matchETag returns the variant that an If-None-Match header names, comparing
// weakly, or nil. A star names the first.
// Source: RFC 9110, 13.1.2.
func matchETag(variants []cache.Variant, header []byte) *cache.Variant {
	for more := len(header) > 0; more; {
		var tag []byte
		tag, header, more = bytes.Cut(header, []byte(","))
		tag = bytes.TrimPrefix(bytes.TrimSpace(tag), []byte("W/"))
		for i := range variants {
			if string(tag) == "*" || string(tag) == variants[i].ETag {
				return &variants[i]
			}
		}
	}
	return nil
}
