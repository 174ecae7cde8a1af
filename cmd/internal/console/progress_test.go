package console

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestProgressOnATerminal(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out, true, false)
	p.Say("no snapshot yet")
	p.Say("no snapshot yet")
	p.Bar(0, 0, "0 of 0 answers")
	p.Bar(15, 45, "15 of 45 answers")
	p.Bar(45, 45, "45 of 45 answers, 1 failed")
	p.Say("trying again")
	p.End()
	const empty, clearLine = "..............................", "\r\x1b[K"
	want := "no snapshot yet\n" +
		"\r[" + empty + "] 0 of 0 answers\x1b[K" +
		"\r[##########....................] 15 of 45 answers\x1b[K" +
		"\r[##############################] 45 of 45 answers, 1 failed\x1b[K" +
		clearLine + "trying again\n"
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestProgressElsewhere holds that without a terminal a line is written at most every
// few seconds, and only if it has changed.
func TestProgressElsewhere(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out, false, false)
	now := time.Date(2025, 10, 27, 3, 0, 0, 0, time.UTC)
	p.now = func() time.Time { return now }
	for done := range 100 {
		p.Bar(min(done, 60), 60, fmt.Sprintf("%d of 60", min(done, 60)))
		now = now.Add(200 * time.Millisecond)
	}
	p.End()
	want := "0 of 60\n25 of 60\n50 of 60\n60 of 60\n"
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestQuietProgress(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out, true, true)
	p.Bar(1, 2, "1 of 2")
	p.Say("x")
	p.End()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	if IsTerminal(&out) {
		t.Error("a string is a terminal")
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 64 << 20: "64.0 MiB", 3 << 40: "3072.0 GiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
