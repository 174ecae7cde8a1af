package content

import "bytes"

// matchETag returns the first tag of an If-None-Match header that names a body, or nil. The
// body's tag without a coding is plain, and selected is the tag of the variant that would
// be sent. A copy in any coding that the client accepts is good, also in a coding that is
// not kept any more. Tags are compared weakly, and a star stands for the selected variant.
// Source: RFC 9110, 13.1.2.
func matchETag(plain, selected, header []byte, accepted *weights) []byte {
	for more := len(header) > 0; more; {
		var tag []byte
		tag, header, more = cutItem(header)
		tag = bytes.TrimPrefix(tag, []byte("W/"))
		if string(tag) == "*" || bytes.Equal(tag, selected) {
			return selected
		}
		coding, ok := codingOf(tag, plain)
		if ok && (len(coding) == 0 || accepted.of(coding) > 0) {
			return tag
		}
	}
	return nil
}

// cutItem cuts a list at its first comma. It returns the item before the comma, without
// the spaces around it, the rest, and whether there was a comma.
func cutItem(list []byte) (item, rest []byte, more bool) {
	if i := bytes.IndexByte(list, ','); i >= 0 {
		return bytes.TrimSpace(list[:i]), list[i+1:], true
	}
	return bytes.TrimSpace(list), nil, false
}

// Matches reports whether an If-Match header names a body, whose tag without a coding
// is plain. A coding is of no importance for it, and tags are compared strongly.
// Source: RFC 9110, 13.1.1.
func Matches(plain, header []byte) bool {
	for more := len(header) > 0; more; {
		var tag []byte
		tag, header, more = cutItem(header)
		if string(tag) == "*" {
			return true
		}
		if _, ok := codingOf(tag, plain); ok {
			return true
		}
	}
	return false
}

// codingOf returns the coding that tag names beside the hash in plain, as gzip in
// "hash-gzip" for "hash". It returns false if tag does not name the body.
func codingOf(tag, plain []byte) (coding []byte, ok bool) {
	hash := plain[:len(plain)-1]
	if len(tag) < len(plain) || !bytes.Equal(tag[:len(hash)], hash) || tag[len(tag)-1] != '"' {
		return nil, false
	}
	coding = tag[len(hash) : len(tag)-1]
	if len(coding) == 0 {
		return nil, true
	}
	if bytes.Equal(tag[len(hash):], bestSuffix) {
		return coding[1:3], true
	}
	for _, c := range preference {
		if coding[0] == '-' && string(coding[1:]) == c {
			return coding[1:], true
		}
	}
	return nil, false
}
