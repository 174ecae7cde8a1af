// Package repeats finds repeated text in JSON, for a compressor. It searches only where a
// name, a value or a word begins: rows repeat from there, and repeats of a few digits within
// numbers cost time and save no bytes.
package repeats

import (
	"encoding/binary"
	"math/bits"

	"github.com/andybalholm/brotli/matchfinder"
)

const (
	// window is the largest distance of a repeat, in bytes. Source: RFC 1951, 2.
	window = 1 << 15
	// longest is the length of the longest text that the tables know.
	longest = 44

	// near is the largest length of the end of a match that is left to a longer repeat.
	near = 6
	// shortest is the length of the shortest match that is kept after a cut.
	shortest = 4

	// sample is the length of the beginning of a text that Suits searches.
	sample = 32 << 10

	tableBits = 15
	hashShift = 64 - tableBits
)

// Least is the length in bytes of the shortest text that suits a Finder: in a shorter text the
// first of the repeated names and values outweigh their repeats.
const Least = 128 << 10

// table has the latest place of each text of one length, by the text's hash.
type table [1 << tableBits]uint32

// Finder is a matchfinder.MatchFinder for JSON of at most 2 GiB. The matches in a text depend
// on no text before the last Reset. It must not be used concurrently.
type Finder struct {
	text  []byte // the window and the latest block
	first uint32 // the place of text[0]: places grow over all texts
	// The tables of texts of 8, 16, 28 and 44 bytes. The longest of them that repeats leads to
	// a long match without a search among all places of a short text.
	of8, of16, of28, of44 table
}

// New returns a Finder.
func New() *Finder { return &Finder{first: window} }

// Reset begins a new text. The places of earlier texts are outside its window.
func (f *Finder) Reset() {
	f.first += uint32(len(f.text)) + window
	f.text = f.text[:0]
	if f.first > 1<<31 { // a text must not reach the highest place
		*f = Finder{text: f.text, first: window}
	}
}

// match is a repeat: the bytes from start to end are the bytes from source on. A match with
// end 0 is none.
type match struct{ start, end, source int }

// FindMatches appends the matches in the next block of a text to dst, as matchfinder
// describes.
func (f *Finder) FindMatches(dst []matchfinder.Match, block []byte) []matchfinder.Match {
	f.slide()
	done := len(f.text) // of the text, in dst
	f.text = append(f.text, block...)
	var last match // not in dst yet
	flush := func() {
		if last.end > 0 {
			dst = append(dst, matchfinder.Match{Unmatched: last.start - done, Length: last.end - last.start, Distance: last.start - last.source})
			done, last = last.end, match{}
		}
	}
	for word := done; word <= len(f.text)-8-longest; word += 8 {
		for marks := beginnings(load(f.text[word:])); marks != 0; marks &= marks - 1 {
			at := word + bits.TrailingZeros64(marks)/8 + 1
			place44, place28, place16, place8 := f.enter(at)
			switch {
			case at >= last.end:
				flush()
				last = f.match(at, done, place44, place28, place16, place8)
			case at >= last.end-near:
				next := f.match(at, at, place44, place28)
				if next.end <= last.end {
					continue
				}
				if last.end = at; last.end-last.start >= shortest {
					flush()
				}
				last = next
			}
		}
	}
	flush()
	if rest := len(f.text) - done; rest > 0 {
		dst = append(dst, matchfinder.Match{Unmatched: rest})
	}
	return dst
}

// Suits reports whether a text is one for a Finder, by its beginning: a list whose rows differ
// in long values, as rows of athletes and teams do. Where they differ in a few digits at a time,
// as rows of a knockout do, repeats within the digits make the text smaller. It resets f.
func (f *Finder) Suits(text []byte) bool {
	f.Reset()
	if len(text) < Least {
		return false
	}
	matches, unmatched := f.FindMatches(nil, text[:sample]), 0
	for _, m := range matches {
		unmatched += m.Unmatched
	}
	return 2*unmatched >= 7*len(matches)
}

// slide removes the text before the window once there is enough of it to be worth a copy.
func (f *Finder) slide() {
	if old := len(f.text) - window; old > window {
		f.text = f.text[:copy(f.text, f.text[old:])]
		f.first += uint32(old)
	}
}

// beginnings marks the bytes of a word after which a name, a value or a word begins, in the
// highest bit of each byte: quotation marks, and the spaces and control characters below them.
func beginnings(word uint64) uint64 {
	const each = 0x0101010101010101
	return (word - ('"'+1)*each) &^ word & (0x80 * each)
}

// enter enters the texts at an index into the tables, and returns the former places of texts
// with the same hashes.
func (f *Finder) enter(at int) (place44, place28, place16, place8 uint32) {
	text := f.text[at : at+longest]
	hash8 := load(text) * 0x9E3779B185EBCA87
	hash16 := mix(hash8, load(text[8:]))
	hash28 := mix(hash16, load(text[20:])^bits.RotateLeft64(load(text[12:]), 17))
	hash44 := mix(hash28, load(text[36:])^bits.RotateLeft64(load(text[28:]), 17))
	entry8, entry16 := &f.of8[hash8>>hashShift], &f.of16[hash16>>hashShift]
	entry28, entry44 := &f.of28[hash28>>hashShift], &f.of44[hash44>>hashShift]
	place44, place28, place16, place8 = *entry44, *entry28, *entry16, *entry8
	here := f.first + uint32(at)
	*entry44, *entry28, *entry16, *entry8 = here, here, here, here
	return place44, place28, place16, place8
}

func mix(hash, word uint64) uint64 {
	return (hash ^ bits.RotateLeft64(word, 29)) * 0xCF1BBCDCB7A56463
}

// match returns the match of the text at an index with the first of the places whose text
// begins with the same 8 bytes. The match begins earlier, but not before from, if the bytes
// before are the same, too.
func (f *Finder) match(at, from int, places ...uint32) match {
	for _, place := range places {
		distance := f.first + uint32(at) - place
		if distance > window {
			continue
		}
		source := at - int(distance)
		if load(f.text[source:]) != load(f.text[at:]) {
			continue
		}
		m := match{at, at + same(f.text[source:], f.text[at:]), source}
		for m.start > from && m.source > 0 && f.text[m.start-1] == f.text[m.source-1] {
			m.start--
			m.source--
		}
		return m
	}
	return match{}
}

// same returns how many bytes the beginnings of two texts have in common. The second text is
// the shorter of them.
func same(a, b []byte) (n int) {
	for ; n+8 <= len(b); n += 8 {
		if different := load(a[n:]) ^ load(b[n:]); different != 0 {
			return n + bits.TrailingZeros64(different)/8
		}
	}
	for n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func load(text []byte) uint64 { return binary.LittleEndian.Uint64(text) }
