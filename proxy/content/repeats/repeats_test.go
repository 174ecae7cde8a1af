package repeats

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli/flate"
	"github.com/andybalholm/brotli/matchfinder"
)

// apply undoes the search: it returns the text that matches describe. Its literals are the
// bytes of blocks.
func apply(t *testing.T, blocks [][]byte, found [][]matchfinder.Match) (text []byte) {
	t.Helper()
	for i, block := range blocks {
		for _, m := range found[i] {
			if m.Unmatched < 0 || m.Unmatched > len(block) || m.Length != 0 && m.Length < shortest ||
				m.Length > 0 && (m.Distance < 1 || m.Distance > window || m.Distance > len(text)+m.Unmatched) {
				t.Fatalf("block %d has a match %+v", i, m)
			}
			text = append(text, block[:m.Unmatched]...)
			for range m.Length {
				text = append(text, text[len(text)-m.Distance])
			}
			block = block[min(len(block), m.Unmatched+m.Length):]
		}
		if len(block) > 0 {
			t.Fatalf("%d bytes of block %d are missing", len(block), i)
		}
	}
	return text
}

// find returns the matches in the blocks of a text.
func find(f *Finder, blocks [][]byte) (found [][]matchfinder.Match) {
	f.Reset()
	for _, block := range blocks {
		found = append(found, f.FindMatches(nil, block))
	}
	return found
}

// check checks that the matches of f describe a text, and that they are the matches of a new
// Finder. It returns how many bytes are in matches.
func check(t *testing.T, f *Finder, blocks [][]byte) (matched int) {
	t.Helper()
	found := find(f, blocks)
	if text := slices.Concat(blocks...); !bytes.Equal(apply(t, blocks, found), text) {
		t.Fatalf("the matches describe another text than\n%.200s", text)
	}
	for i, again := range find(New(), blocks) {
		if !slices.Equal(found[i], again) {
			t.Fatalf("block %d: %d matches, of a new Finder %d", i, len(found[i]), len(again))
		}
		for _, m := range again {
			matched += m.Length
		}
	}
	return matched
}

// A field makes a value of a row.
type field struct {
	name  string
	value func(r *rand.Rand, row int) string
}

func rank(_ *rand.Rand, row int) string { return fmt.Sprint(row + 1) }
func id(_ *rand.Rand, row int) string   { return fmt.Sprint(435931 + row) }
func handle(r *rand.Rand, _ int) string { return fmt.Sprint(12000000 + r.Intn(40000)) }
func small(r *rand.Rand, _ int) string  { return fmt.Sprint(r.Intn(20)) }
func wins(r *rand.Rand, _ int) string   { return fmt.Sprint(r.Intn(300)) }
func score(r *rand.Rand, _ int) string  { return fmt.Sprintf("%.4f", 1000*r.Float64()) }
func day(r *rand.Rand, _ int) string    { return fmt.Sprintf(`"2025-10-%02d"`, 1+r.Intn(26)) }
func team(r *rand.Rand, _ int) string   { return fmt.Sprintf(`"Team of Place %d (D1)"`, r.Intn(300)) }
func person(r *rand.Rand, _ int) string {
	return fmt.Sprintf(`"Name%d Siobhán%d"`, r.Intn(50), r.Intn(50))
}
func null(_ *rand.Rand, _ int) string      { return "null" }
func season(_ *rand.Rand, _ int) string    { return "2025" }
func algorithm(_ *rand.Rand, _ int) string { return `"light"` }

// list returns a list of rows of at least size bytes, as the API sends it.
func list(size int, fields ...field) []byte {
	r := rand.New(rand.NewSource(1))
	var b bytes.Buffer
	b.WriteString(`{"total":3882,"limit":50000,"offset":0,"results":[`)
	for row := 0; b.Len() < size; row++ {
		for i, f := range fields {
			fmt.Fprintf(&b, `%c"%s":%s`, "{,"[min(i, 1)], f.name, f.value(r, row))
		}
		b.WriteString("},")
	}
	b.Truncate(b.Len() - 1)
	b.WriteString("]}")
	return b.Bytes()
}

var (
	athletes = []field{
		{"ranking_id", id}, {"season_year", season}, {"checkpoint_date", null}, {"algorithm_type", algorithm},
		{"anet_athlete_hnd", handle}, {"athlete_name", person}, {"team_name", team}, {"team_group_fk", null},
		{"athlete_rank", rank}, {"xcri_score", score}, {"races_count", small}, {"season_average", score},
		{"most_recent_race_date", day}, {"h2h_wins", wins}, {"h2h_losses", wins}, {"scs_score", score}, {"scs_rank", wins},
	}
	snapshot = []field{
		{"rank", rank}, {"athlete_name", person}, {"team_name", team}, {"xcri_score", score}, {"num_races", small},
		{"h2h_wins", wins}, {"anet_athlete_hnd", handle}, {"saga_score", score}, {"sewr_score", score},
	}
	teams = []field{
		{"id", id}, {"team_name", team}, {"rank_group_fk", season}, {"regl_group_fk", small}, {"regl_finish", null},
		{"knockout_rank", rank}, {"team_five_rank", rank}, {"team_size", small}, {"most_recent_race_date", day},
		{"h2h_wins", small}, {"h2h_losses", small}, {"season_year", season},
	}
	lists = map[string][]field{"athletes": athletes, "athletes of a snapshot": snapshot, "teams": teams}
)

// TestMatches: matches describe a text, in blocks of any length, also after other texts.
func TestMatches(t *testing.T) {
	noise := make([]byte, 4*window)
	rand.New(rand.NewSource(1)).Read(noise)
	texts := map[string][]byte{
		"nothing": nil, "a byte": {'"'}, "noise": noise, "zeros": make([]byte, 4*window), "quotation marks": bytes.Repeat([]byte(`"`), 4*window),
		"a repeat at the window's end": slices.Concat([]byte(`,"0123456789abcdef",`), bytes.Repeat([]byte("x"), window-20), []byte(`,"0123456789abcdef",`), noise[:100]),
		"a repeat beyond the window":   slices.Concat([]byte(`,"0123456789abcdef",`), bytes.Repeat([]byte("x"), window-19), []byte(`,"0123456789abcdef",`), noise[:100]),
	}
	for name, fields := range lists {
		texts[name] = list(10*window, fields...)
	}
	f := New()
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{7, 100, window - 1, window, window + 1, 3 * window, 10 * window} {
				if size < 100 && len(text) > 2*window {
					continue // which takes long
				}
				matched := check(t, f, slices.Collect(slices.Chunk(text, size)))
				if lists[name] != nil && size >= window && matched < len(text)/2 {
					t.Errorf("blocks of %d bytes: %d of %d bytes are in matches", size, matched, len(text))
				}
				if reached := strings.HasSuffix(name, "end"); size == 10*window && strings.HasPrefix(name, "a repeat") && (matched == 20) != reached {
					t.Errorf("%d bytes are in matches", matched)
				}
			}
		})
	}
}

// render writes a text with its matches in brackets, each with its distance.
func render(text string, matches []matchfinder.Match) string {
	var b strings.Builder
	for _, m := range matches {
		b.WriteString(text[:m.Unmatched])
		text = text[m.Unmatched:]
		if m.Length > 0 {
			fmt.Fprintf(&b, "[%s@%d]", text[:m.Length], m.Distance)
			text = text[m.Length:]
		}
	}
	return b.String()
}

// TestRules: a beginning has the match that the longest of its texts of 44, 28, 16 and 8 bytes
// leads to, the latest of equal texts first. The match begins earlier if the bytes before are
// the same. A match that ends soon after a beginning is cut there for a longer repeat.
func TestRules(t *testing.T) {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	a := func(length int) string { return alphabet[:length] }
	tail := strings.Repeat("~", 8+longest) // the end of a block has no matches
	for _, c := range []struct{ name, text, want string }{
		{"the latest of equal texts", `"12345678-1"12345678-2"12345678-3`, `"12345678-1["12345678-@11]2["12345678-@11]3`},
		{"seven bytes are no text", `"1234567a"1234567b`, `"1234567a"1234567b`},
		{"without a beginning", `12345678-a,12345678-b`, `12345678-a,12345678-b`},
		{"16 bytes before 8", `"` + a(16) + `1"` + a(15) + `2"` + a(16) + `3`, `"` + a(16) + `1["` + a(15) + `@18]2["` + a(16) + `@35]3`},
		{"28 bytes before 16", `"` + a(28) + `-"` + a(27) + `+"` + a(28) + `!`, `"` + a(28) + `-["` + a(27) + `@30]+["` + a(28) + `@59]!`},
		{"44 bytes before 28", `"` + a(44) + `-"` + a(43) + `+"` + a(44) + `!`, `"` + a(44) + `-["` + a(43) + `@46]+["` + a(44) + `@91]!`},
		{"the same bytes before", `1, "12345678-a2, "12345678-b`, `1, "12345678-a2[, "12345678-@14]b`},
		{"not the bytes of an earlier match", `"12345678-a"87654321-b"12345678-"87654321-c`, `"12345678-a"87654321-b["12345678-@22]["87654321-@21]c`},
		{"next to another match", `"12345678"X"abcdefgh-1"12345678"abcdefgh-2`, `"12345678"X"abcdefgh-1["12345678"@22][abcdefgh-@20]2`},
		{"cut for a longer repeat", `"word one 123456X 123456789` + a(30) + `Y"word one 123456789` + a(30) + `Z`,
			`"word one 123456X 123456789` + a(30) + `Y["word one @58][123456789` + a(30) + `@50]Z`},
		{"not far before its end", `"word one 1234567X 123456789` + a(30) + `Y"word one 123456789` + a(30) + `Z`,
			`"word one 1234567X 123456789` + a(30) + `Y["word one 1234567@59]89` + a(30) + `Z`},
		{"too short after a cut", `1":"abcdefX"` + a(36) + `Y2":"` + a(36) + `Z`, `1":"abcdefX"` + a(36) + `Y2":"[` + a(36) + `@41]Z`},
		{"long enough after a cut", `1,":"abcdefX"` + a(36) + `Y2,":"` + a(36) + `Z`, `1,":"abcdefX"` + a(36) + `Y2[,":"@50][` + a(36) + `@42]Z`},
	} {
		text := c.text + tail
		if got := render(text, New().FindMatches(nil, []byte(text))); got != c.want+tail {
			t.Errorf("%s:\n%s, want\n%s", c.name, strings.TrimSuffix(got, tail), c.want)
		}
	}
}

// TestLastText: the last beginning that is searched is followed by the longest text alone.
func TestLastText(t *testing.T) {
	row := `"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH`
	if len(row) != 1+longest {
		t.Fatal(len(row))
	}
	text := row + "--" + row // the second begins at the end of a word
	if got, want := render(text, New().FindMatches(nil, []byte(text))), row+"--["+row+"@47]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	shorter := text[:len(text)-1]
	if got := render(shorter, New().FindMatches(nil, []byte(shorter))); got != shorter {
		t.Errorf("%s, want no match", got)
	}
}

// TestMemory: of a long text two windows and a block are kept.
func TestMemory(t *testing.T) {
	f, block := New(), list(window, teams...)
	for range 20 {
		f.FindMatches(nil, block)
		if len(f.text) > 2*window+len(block) {
			t.Fatalf("%d bytes are kept", len(f.text))
		}
	}
}

// TestBeginnings: a name, a value or a word begins after each byte up to a quotation mark. Of
// other bytes only a number sign after such a byte may be marked.
func TestBeginnings(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 100_000 {
		word := r.Uint64()
		if r.Intn(2) == 0 {
			word &= 0x2F2F2F2F2F2F2F2F
		}
		marks := beginnings(word)
		if marks&^0x8080808080808080 != 0 {
			t.Fatalf("%x for %x", marks, word)
		}
		for i := range 8 {
			b, marked := byte(word>>(8*i)), marks>>(8*i+7)&1 == 1
			if b <= '"' && !marked || b > '#' && marked {
				t.Fatalf("byte %d of %x: %t", i, word, marked)
			}
		}
	}
}

// TestHighestPlace: places begin anew before they overflow.
func TestHighestPlace(t *testing.T) {
	blocks := [][]byte{list(3*window, teams...)}
	for _, first := range []uint32{1<<31 - 1, 1<<31 - 3*window, 1<<31 + 1} {
		f := New()
		find(f, blocks)
		f.first = first
		for range 3 {
			check(t, f, blocks)
			if f.first > 1<<31 {
				t.Errorf("a text begins at %d", f.first)
			}
		}
	}
}

// checkSize checks that w makes a text smaller than level 6 of the standard library.
func checkSize(t *testing.T, name string, w *matchfinder.Writer, text []byte) {
	t.Helper()
	var ours, other bytes.Buffer
	w.Reset(&ours)
	w.Write(text)
	w.Close()
	z, _ := gzip.NewWriterLevel(&other, 6)
	z.Write(text)
	z.Close()
	t.Logf("%s, %d bytes: %d to %d, %.3f", name, len(text), ours.Len(), other.Len(), float64(ours.Len())/float64(other.Len()))
	if ours.Len() > other.Len() {
		t.Errorf("%s: %d bytes, at level 6 %d", name, ours.Len(), other.Len())
	}
}

// TestSize: lists are smaller than at level 6 of the standard library, whose search is zlib's.
func TestSize(t *testing.T) {
	w := &matchfinder.Writer{MatchFinder: New(), Encoder: flate.NewGZIPEncoder(), BlockSize: 320 << 10}
	for name, fields := range lists {
		checkSize(t, name, w, list(1<<20, fields...))
	}
}

// TestSuits: a list of long values is one for a Finder, which makes it smaller than level 6 of the
// standard library from 128 KiB on. A list of small numbers, and a shorter text, is none.
func TestSuits(t *testing.T) {
	f := New()
	w := &matchfinder.Writer{MatchFinder: f, Encoder: flate.NewGZIPEncoder(), BlockSize: 320 << 10}
	for name, fields := range lists {
		for _, size := range []int{Least, 160 << 10, 2 * Least, 3 * Least} {
			text := list(size, fields...)
			if want := name != "teams"; f.Suits(text) != want {
				t.Errorf("%s, %d bytes: suits %t", name, len(text), !want)
			} else if !want {
				continue
			}
			checkSize(t, name, w, text)
		}
		if f.Suits(list(Least, fields...)[:Least-1]) {
			t.Errorf("%s: a shorter text suits", name)
		}
	}
	check(t, f, [][]byte{list(Least, athletes...)}) // Suits leaves nothing behind
}

// FuzzFinder: matches describe any text, in blocks of any length, also after other texts.
func FuzzFinder(f *testing.F) {
	f.Add([]byte(`{"total":1,"results":[{"rank":1},{"rank":1}]}`), 20, 5)
	f.Add(bytes.Repeat([]byte(`"ab c`), 30), 300, 70_000)
	f.Add(list(2<<10, snapshot...), 40, 1000)
	shared := New()
	f.Fuzz(func(t *testing.T, text []byte, times, block int) {
		text = bytes.Repeat(text, 1+int(uint(times)%100))
		check(t, shared, slices.Collect(slices.Chunk(text, 1+int(uint(block)%(1<<20)))))
	})
}

// BenchmarkGzip makes gzip of a list with the matches of a Finder and with the library's own
// at level 3, which make bodies of about the same size.
func BenchmarkGzip(b *testing.B) {
	for name, fields := range lists {
		text := list(3<<20, fields...)
		rows := &matchfinder.Writer{MatchFinder: New(), Encoder: flate.NewGZIPEncoder(), BlockSize: 320 << 10}
		library := flate.NewGZIPWriter(nil, 3)
		library.BlockSize = 512 << 10
		for kind, w := range map[string]*matchfinder.Writer{"rows": rows, "library": library} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					var out bytes.Buffer
					w.Reset(&out)
					w.Write(text)
					w.Close()
					b.ReportMetric(float64(out.Len()), "bytes")
				}
			})
		}
	}
}
