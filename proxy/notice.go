package proxy

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// noticeFiles are the page that people get in maintenance mode, and its style.
//
//go:embed page/maintenance.html page/maintenance.css
var noticeFiles embed.FS

// notice makes that page. It is safe for concurrent use.
type notice struct {
	page   *template.Template
	style  template.CSS
	policy string // lets a browser use the style, and nothing else
}

func newNotice() *notice {
	css, err := noticeFiles.ReadFile("page/maintenance.css")
	if err != nil {
		panic(err) // embedded
	}
	style := squeezes.Replace(string(css))
	sum := sha256.Sum256([]byte(style))
	return &notice{
		page:  template.Must(template.ParseFS(noticeFiles, "page/maintenance.html")),
		style: template.CSS(style),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; " +
			"frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
	}
}

// squeezes takes out of the style what is there for its authors.
var squeezes = strings.NewReplacer("\n", "", "  ", "", " { ", "{", "{ ", "{", "; }", "}", " }", "}", "; ", ";", ": ", ":", ", ", ",")

// words are what the page says beside its own text. Clock and Moment may be
// empty, and Message.
type words struct {
	Style                        template.CSS
	When, Clock, Moment, Message string
}

// render writes the page.
func (n *notice) render(w words) []byte {
	w.Style = n.style
	var page bytes.Buffer
	if err := n.page.Execute(&page, w); err != nil {
		panic(err) // plain texts
	}
	return page.Bytes()
}

// MaintenancePage returns the page without a time, for a server that has to say
// by itself that the proxy is away. The message may be empty; the error says
// what is wrong with it.
func MaintenancePage(message string) ([]byte, error) {
	if err := checkMessage(message); err != nil {
		return nil, err
	}
	return newNotice().render(words{When: "Please check back in a few minutes", Message: message}), nil
}

// words say what people are told at a moment, in its time zone.
func (m *Maintenance) words(now time.Time) words {
	w := words{When: m.when(now), Message: m.Message}
	if m.Until != nil && m.Until.After(now) {
		until := m.Until.In(now.Location())
		w.Clock, w.Moment = clock(until, now), until.Format(time.RFC3339)
	}
	return w
}

const (
	// usualWait is what people are told when nobody has said how long it takes.
	usualWait = 30 * time.Minute
	// shortestWait is what they are told to wait at least.
	shortestWait = time.Minute
)

// wait is how long to wait at a moment until asking again, in whole seconds.
func (m *Maintenance) wait(now time.Time) time.Duration {
	if m.Until == nil {
		return usualWait
	}
	return max(shortestWait, roundUp(m.Until.Sub(now), time.Second))
}

// when says how long it takes from now on, without a final full stop.
func (m *Maintenance) when(now time.Time) string {
	const day = 24 * time.Hour
	if m.Until == nil {
		return "Please check back in about 30 minutes"
	}
	switch left := m.Until.Sub(now); {
	case left <= 0:
		return "We should be back any minute now"
	case left <= time.Minute:
		return "Please check back in a minute"
	case left <= 90*time.Minute:
		return fmt.Sprintf("Please check back in %d minutes", roundUp(left, time.Minute)/time.Minute)
	case left < 36*time.Hour:
		return fmt.Sprintf("Please check back in about %d hours", left.Round(time.Hour)/time.Hour)
	default:
		return fmt.Sprintf("Please check back in about %d days", left.Round(day)/day)
	}
}

func roundUp(d, unit time.Duration) time.Duration { return (d + unit - 1).Truncate(unit) }

// clock writes a moment as a clock shows it, with its date unless that is today's.
func clock(at, now time.Time) string {
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format("3:04 PM MST")
	}
	return at.Format("Monday, January 2, 3:04 PM MST")
}
