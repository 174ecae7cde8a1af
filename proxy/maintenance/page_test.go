package maintenance

import (
	"bytes"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"
)

// eastern is a time zone that the tests need no file for.
var eastern = time.FixedZone("EST", -5*3600)

func TestNoticeWords(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 0, 30, 0, eastern)
	for _, tt := range []struct {
		until string // in UTC; empty for not said
		when  string
		clock string
		retry time.Duration
	}{
		{"", "Please check back in about 30 minutes", "", 30 * time.Minute},
		{"2026-11-23T20:30:30Z", "Please check back in 30 minutes", "3:30 PM EST", 30 * time.Minute},
		{"2026-11-23T20:30:29Z", "Please check back in 30 minutes", "3:30 PM EST", 30*time.Minute - time.Second},
		{"2026-11-23T20:30:31Z", "Please check back in 31 minutes", "3:30 PM EST", 30*time.Minute + time.Second},
		{"2026-11-23T20:01:31Z", "Please check back in 2 minutes", "3:01 PM EST", 61 * time.Second},
		{"2026-11-23T20:01:30Z", "Please check back in a minute", "3:01 PM EST", time.Minute},
		{"2026-11-23T20:00:31Z", "Please check back in a minute", "3:00 PM EST", time.Minute},
		{"2026-11-23T20:00:30Z", "We should be back any minute now", "", time.Minute},
		{"2026-11-22T20:00:30Z", "We should be back any minute now", "", time.Minute},
		{"2026-11-23T21:30:30Z", "Please check back in 90 minutes", "4:30 PM EST", 90 * time.Minute},
		{"2026-11-23T21:30:31Z", "Please check back in about 2 hours", "4:30 PM EST", 90*time.Minute + time.Second},
		{"2026-11-24T04:59:59Z", "Please check back in about 9 hours", "11:59 PM EST", 8*time.Hour + 59*time.Minute + 29*time.Second},
		{"2026-11-24T05:00:00Z", "Please check back in about 9 hours", "Tuesday, November 24, 12:00 AM EST", 8*time.Hour + 59*time.Minute + 30*time.Second},
		{"2026-11-25T08:00:30Z", "Please check back in about 2 days", "Wednesday, November 25, 3:00 AM EST", 36 * time.Hour},
	} {
		t.Run(tt.until, func(t *testing.T) {
			m := &Period{}
			if tt.until != "" {
				until, err := time.Parse(time.RFC3339, tt.until)
				if err != nil {
					t.Fatal(err)
				}
				m.Until = &until
			}
			w := m.words(now)
			if w.When != tt.when || w.Clock != tt.clock || (w.Moment == "") != (w.Clock == "") || m.RetryAfter(now) != tt.retry {
				t.Errorf("%+v, wait %v", w, m.RetryAfter(now))
			}
		})
	}
}

// TestNoticeEscapes: a message is shown as text, including its markup.
func TestNoticeEscapes(t *testing.T) {
	for _, message := range []string{
		`<script>alert(1)</script>`, `</p></style><img src=x onerror=alert(1)>`, `"quotes" & 'more' &lt;b&gt;`, `{{.Style}} ${x} <!--`,
	} {
		page := string(NewPage().Render(&Period{Message: message}, time.Now()))
		_, rest, _ := strings.Cut(page, `<p class="message">`)
		shown, _, _ := strings.Cut(rest, "</p>")
		if strings.ContainsAny(shown, `<>"`) || html.UnescapeString(shown) != message {
			t.Errorf("%s: %s", message, shown)
		}
	}
}

// TestNoticeIsSmall: the page loads nothing, and has at most 16 KiB with a message of usual
// length.
func TestNoticeIsSmall(t *testing.T) {
	until := time.Date(2026, 11, 25, 12, 59, 0, 0, eastern)
	page := NewPage().Render(&Period{Until: &until, Message: strings.Repeat("x", 100)}, until.Add(-50*time.Hour))
	if len(page) > 16<<10 {
		t.Errorf("%d bytes", len(page))
	}
	if found := regexp.MustCompile(`(?i)<script|https?:|url\(|@import|\son[a-z]+=|\sstyle=`).Find(page); found != nil {
		t.Errorf("it has %s", found)
	}
	for _, want := range []string{`<html lang="en">`, "<title>", `role="img" aria-label="`, `<meta http-equiv="refresh" content="60">`, "Wednesday, November 25, 12:59 PM EST</time>"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %s", want)
		}
	}
	without, err := StaticPage("")
	if err != nil || strings.Contains(string(without), `class="message"`) || !strings.Contains(string(without), "in a few minutes.</p>") {
		t.Errorf("without a message: %v", err)
	}
	if _, err := StaticPage("a\nb"); err == nil {
		t.Error("no error for a line break")
	}
}

func BenchmarkNotice(b *testing.B) {
	n := NewPage()
	m := &Period{Message: "We import the new season."}
	for b.Loop() {
		if page := n.Render(m, time.Now()); !bytes.HasPrefix(page, []byte("<!doctype")) {
			b.Fatal("no page")
		}
	}
}
