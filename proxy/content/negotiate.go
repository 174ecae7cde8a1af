package content

import (
	"bytes"

	"github.com/lewistv/xcri-proxy/cache"
)

// preference orders the codings that a client weighs equally, best first: brotli makes the
// smallest bodies, and zstd smaller bodies than gzip.
var preference = [...]string{"br", "zstd", "gzip"}

// knownAccepts is the number of Accept-Encoding headers that a Negotiator remembers. All
// visitors together send a few dozen.
const knownAccepts = 64

// Negotiator chooses the form of a body for a client. It is safe for concurrent use.
type Negotiator struct{ known Memo[weights] }

// NewNegotiator returns a Negotiator.
func NewNegotiator() *Negotiator { return &Negotiator{NewMemo[weights](knownAccepts)} }

// Select returns the variant to send for an Accept-Encoding header. If the client has
// the body already, as its If-None-Match header says, it also returns the tag for the
// 304: of the client's own copy, which may be in another coding that it accepts.
// Source: RFC 9110, 12.5.3 and 13.1.2.
func (n *Negotiator) Select(variants []cache.Variant, accept, ifNoneMatch []byte) (v *cache.Variant, tag []byte) {
	w := n.weights(variants, accept)
	v = &variants[w.choose(variants)]
	if len(ifNoneMatch) == 0 {
		return v, nil
	}
	return v, matchETag(variants[Identity].ETag, v.ETag, ifNoneMatch, w)
}

// plainOnly are the weights of a client that takes no coding.
var plainOnly = weights{identity: 1}

func (n *Negotiator) weights(variants []cache.Variant, accept []byte) *weights {
	if len(variants) == 1 || len(accept) == 0 {
		return &plainOnly
	}
	if w := n.known.Get(accept); w != nil {
		return w
	}
	w := parseAccept(accept)
	n.known.Put(accept, &w)
	return &w
}

// weights are the weights that a client gives each coding, in thousandths.
type weights struct {
	coding   [len(preference)]int // in the order of preference
	identity int
}

// of returns the weight of a coding; an empty name is identity. It is zero for a
// coding that is not in preference.
func (w *weights) of(coding []byte) int {
	if len(coding) == 0 {
		return w.identity
	}
	for i, name := range preference {
		if string(coding) == name {
			return w.coding[i]
		}
	}
	return 0
}

// parseAccept reads an Accept-Encoding header. A coding that it does not name has the
// weight of *, or zero; identity has a thousandth then.
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
		item, accept, more = cutItem(accept)
		name, params, _ := bytes.Cut(item, []byte(";"))
		name = bytes.TrimSpace(name)
		if len(name) > 2 && name[0]|0x20 == 'x' && name[1] == '-' {
			name = name[2:] // x-gzip, an old name
		}
		switch {
		case string(name) == "*":
			other = weight(params)
			otherIdentity = other
		case bytes.EqualFold(name, []byte("identity")):
			w.identity = weight(params)
		default:
			for i, coding := range preference {
				if bytes.EqualFold(name, []byte(coding)) {
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

// choose returns the index of the variant that the client prefers. Identity is the
// last resort also for a client that refuses it: a body in an unknown coding is of
// less use.
func (w *weights) choose(variants []cache.Variant) int {
	best, bestWeight := Identity, w.identity
	for p, coding := range preference {
		if w.coding[p] == 0 || w.coding[p] < bestWeight || w.coding[p] == bestWeight && best != Identity {
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

// weight returns the weight among the parameters of a coding, such as 500 for
// ";q=0.5". It is 1000 without a weight. Space around the equals sign is not in the
// grammar, but the meaning is clear.
func weight(params []byte) int {
	for more := len(params) > 0; more; {
		var param []byte
		param, params, more = bytes.Cut(params, []byte(";"))
		name, value, _ := bytes.Cut(param, []byte("="))
		if bytes.EqualFold(bytes.TrimSpace(name), []byte("q")) {
			return thousandths(bytes.TrimSpace(value))
		}
	}
	return 1000
}

// thousandths reads a number from 0 to 1 with any number of decimals. It returns 0 for
// all other texts: every client can read a body without a coding.
// Source: RFC 9110, 12.4.2.
func thousandths(text []byte) int {
	whole, fraction, _ := bytes.Cut(text, []byte("."))
	if len(whole) != 1 || whole[0] != '0' && whole[0] != '1' {
		return 0
	}
	n, unit := int(whole[0]-'0')*1000, 100
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return 0
		}
		n, unit = n+int(c-'0')*unit, unit/10
	}
	if n > 1000 {
		return 0
	}
	return n
}
