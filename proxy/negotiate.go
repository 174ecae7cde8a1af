package proxy

import (
	"bytes"

	"github.com/lewistv/xcri-proxy/cache"
)

// preference orders the codings that a client likes equally, best first.
// Brotli is the smallest of them, and zstd is smaller than gzip.
var preference = [...]string{"br", "zstd", "gzip"}

// weights are what a client thinks of each coding, in thousandths.
type weights struct {
	coding   [len(preference)]int // in the order of preference
	identity int
}

// parseAccept reads an Accept-Encoding header. What it does not name weighs as
// much as * says, or nothing; identity then is worth a thousandth.
// Source: RFC 9110, 12.5.3.
func parseAccept(accept []byte) weights {
	const unnamed = -1
	w := weights{identity: unnamed}
	for i := range w.coding {
		w.coding[i] = unnamed
	}
	other, otherIdentity := 0, 1
	for more := len(accept) > 0; more; {
		var item []byte
		item, accept, more = bytes.Cut(accept, []byte(","))
		name, params, _ := bytes.Cut(item, []byte(";"))
		name = bytes.TrimSpace(name)
		if len(name) > 2 && name[0]|0x20 == 'x' && name[1] == '-' {
			name = name[2:] // x-gzip, an old name
		}
		switch {
		case string(name) == "*":
			other = weight(params)
			otherIdentity = other
		case equalFold(name, "identity"):
			w.identity = weight(params)
		default:
			for i, coding := range preference {
				if equalFold(name, coding) {
					w.coding[i] = weight(params)
				}
			}
		}
	}
	for i := range w.coding {
		if w.coding[i] == unnamed {
			w.coding[i] = other
		}
	}
	if w.identity == unnamed {
		w.identity = otherIdentity
	}
	return w
}

// negotiate returns the index of the variant to send for an Accept-Encoding
// header. All visitors together send a few dozen of them, which are known.
func negotiate(known *memo[weights], variants []cache.Variant, accept []byte) int {
	if len(variants) == 1 || len(accept) == 0 {
		return identity
	}
	if w := known.get(accept); w != nil {
		return w.choose(variants)
	}
	w := parseAccept(accept)
	known.put(accept, &w)
	return w.choose(variants)
}

// choose returns the index of the variant that a client likes best. Identity is
// the last resort also where the client refuses it: a body in a coding that it
// does not know tells it less.
func (w *weights) choose(variants []cache.Variant) int {
	best, bestWeight := identity, w.identity
	for p, coding := range preference {
		if w.coding[p] == 0 || w.coding[p] < bestWeight || w.coding[p] == bestWeight && best != identity {
			continue
		}
		for i := range variants {
			if variants[i].Coding == coding {
				best, bestWeight = i, w.coding[p]
			}
		}
	}
	return best
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

// matchETag returns the first tag of an If-None-Match header that names a body,
// whose own tag without a coding is plain, or nil. A copy of it is good in any
// coding, also in one that is not kept any more. Tags are compared weakly, and a
// star names every body.
// Source: RFC 9110, 13.1.2.
func matchETag(plain, header []byte) []byte {
	for more := len(header) > 0; more; {
		var tag []byte
		tag, header, more = bytes.Cut(header, []byte(","))
		tag = bytes.TrimPrefix(bytes.TrimSpace(tag), []byte("W/"))
		switch {
		case string(tag) == "*":
			return plain
		case namesBody(tag, plain):
			return tag
		}
	}
	return nil
}

// namesBody reports whether tag is plain, or that with the name of a coding, as
// in "hash-gzip" for "hash".
func namesBody(tag, plain []byte) bool {
	hash := plain[:len(plain)-1]
	if len(tag) < len(plain) || !bytes.Equal(tag[:len(hash)], hash) || tag[len(tag)-1] != '"' {
		return false
	}
	coding := tag[len(hash) : len(tag)-1]
	if len(coding) == 0 {
		return true
	}
	for _, c := range preference {
		if coding[0] == '-' && string(coding[1:]) == c {
			return true
		}
	}
	return false
}
