package main

import (
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

func TestProgressOnATerminal(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, true, false)
	p.say("no snapshot yet")
	p.say("no snapshot yet")
	p.show(&api.WarmState{WarmStatus: api.WarmStatus{Done: 0, Keys: 0}})
	p.show(&api.WarmState{WarmStatus: api.WarmStatus{Done: 15, Keys: 45, Bytes: 3 << 19, Seconds: 1.26}})
	p.show(&api.WarmState{WarmStatus: api.WarmStatus{Done: 45, Keys: 45, Bytes: 5 << 20, Seconds: 2, Failed: 1}})
	p.say("trying again")
	p.end()
	const empty, clearLine = "..............................", "\r\x1b[K"
	want := "no snapshot yet\n" +
		"\r[" + empty + "] 0 of 0 answers, 0 B, 0.0 s\x1b[K" +
		"\r[##########....................] 15 of 45 answers, 1.5 MiB, 1.3 s\x1b[K" +
		"\r[##############################] 45 of 45 answers, 5.0 MiB, 2.0 s, 1 failed\x1b[K" +
		clearLine + "trying again\n"
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestProgressElsewhere holds that without a terminal a line is written at most every
// few seconds, and only if it has changed.
func TestProgressElsewhere(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, false, false)
	now := time.Date(2025, 10, 27, 3, 0, 0, 0, time.UTC)
	p.now = func() time.Time { return now }
	for done := range 100 {
		p.show(&api.WarmState{WarmStatus: api.WarmStatus{Done: min(done, 60), Keys: 60}})
		now = now.Add(200 * time.Millisecond)
	}
	p.end()
	want := "0 of 60 answers, 0 B, 0.0 s\n25 of 60 answers, 0 B, 0.0 s\n50 of 60 answers, 0 B, 0.0 s\n60 of 60 answers, 0 B, 0.0 s\n"
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestQuietProgress(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, true, true)
	p.show(&api.WarmState{WarmStatus: api.WarmStatus{Done: 1, Keys: 2}})
	p.say("x")
	p.end()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	if isTerminal(&out) {
		t.Error("a string is a terminal")
	}
}

func TestInBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 64 << 20: "64.0 MiB", 3 << 40: "3072.0 GiB"} {
		if got := inBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
