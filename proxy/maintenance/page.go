package maintenance

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"strings"
	"time"
)

// pageFiles hold the template of the page and its style.
//
//go:embed page/maintenance.html page/maintenance.css
var pageFiles embed.FS

// Page renders the page that visitors read in maintenance mode. It is immutable.
type Page struct {
	page   *template.Template
	style  template.CSS
	policy string
}

// NewPage parses the embedded template.
func NewPage() *Page {
	css, err := pageFiles.ReadFile("page/maintenance.css")
	if err != nil {
		panic(err) // embedded
	}
	style := minify.Replace(string(css))
	sum := sha256.Sum256([]byte(style))
	return &Page{
		page:  template.Must(template.ParseFS(pageFiles, "page/maintenance.html")),
		style: template.CSS(style),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; " +
			"frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
	}
}

// minify removes the style's white space.
var minify = strings.NewReplacer("\n", "", "  ", "", " { ", "{", "{ ", "{", "; }", "}", " }", "}", "; ", ";", ": ", ":", ", ", ",")

// words are the variable texts of the page. Clock, Moment and Message may be
// empty.
type words struct {
	Style                        template.CSS
	When, Clock, Moment, Message string
}

// Policy returns the page's Content-Security-Policy: its own style and nothing
// else.
func (g *Page) Policy() string { return g.policy }

// Render returns the page for a period, with times in the time zone of now.
func (g *Page) Render(p *Period, now time.Time) []byte { return g.execute(p.words(now)) }

// StaticPage returns the page without a time, for a web server that sends it while the
// proxy is down. The message may be empty; the error reports why it can't be shown.
func StaticPage(message string) ([]byte, error) {
	if err := checkMessage(message); err != nil {
		return nil, err
	}
	return NewPage().execute(words{When: "Please check back in a few minutes", Message: message}), nil
}

func (g *Page) execute(w words) []byte {
	w.Style = g.style
	var page bytes.Buffer
	if err := g.page.Execute(&page, w); err != nil {
		panic(err) // plain texts
	}
	return page.Bytes()
}

// words returns the texts for a period at a moment, in its time zone.
func (p *Period) words(now time.Time) words {
	w := words{When: p.Notice(now), Message: p.Message}
	if p.Until != nil && p.Until.After(now) {
		until := p.Until.In(now.Location())
		w.Clock, w.Moment = clock(until, now), until.Format(time.RFC3339)
	}
	return w
}
