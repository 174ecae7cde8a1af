package report

import (
	"fmt"
	"html"
	"os"
	"slices"
	"strings"
)

// Sizes of the chart, in pixels.
const (
	chartWidth   = 760
	labelWidth   = 195
	valueWidth   = 130
	barHeight    = 18
	barStep      = 23
	groupPadding = 40
	lineHeight   = 17
	noteLetters  = 110 // characters in a line of the note
)

// chartStyle is readable on light and on dark pages.
const chartStyle = `
	text { font: 13px system-ui, sans-serif; fill: #24292f; }
	.title { font-weight: 600; }
	.note { fill: #57606a; font-size: 12px; }
	.bar { fill: #8c959f; } .ours { fill: #0969da; }
	.line { stroke: #57606a; stroke-dasharray: 3 3; }
	@media (prefers-color-scheme: dark) {
		text { fill: #e6edf3; } .note { fill: #9198a1; }
		.bar { fill: #656c76; } .ours { fill: #4493f8; } .line { stroke: #9198a1; }
	}
`

// Chart is the comparison of servers.
type Chart struct {
	Paces []Pace
	Note  string   // above the chart
	Ours  string   // the highlighted server
	Base  []string // servers whose fastest is 1
}

// draw draws the requests that each server answers in a second of its processor time,
// relative to the base: a group of bars for each answer.
func (c Chart) draw() string {
	groups := byQuestion(c.Paces)
	widest := 1.0
	for _, g := range groups {
		for _, p := range g {
			widest = max(widest, p.PerCPU/c.baseOf(g))
		}
	}
	scale := (chartWidth - labelWidth - valueWidth) / widest
	var s strings.Builder
	y := 16
	for _, line := range wrap(c.Note, noteLetters) {
		y += lineHeight
		fmt.Fprintf(&s, "<text class=\"note\" x=\"0\" y=\"%d\">%s</text>\n", y, html.EscapeString(line))
	}
	y += 2 * lineHeight
	for _, g := range groups {
		fmt.Fprintf(&s, "<text class=\"title\" x=\"0\" y=\"%d\">%s</text>\n", y, html.EscapeString(g[0].Question))
		y += 10
		top := y
		for _, p := range g {
			ratio := p.PerCPU / c.baseOf(g)
			class := "bar"
			if p.Server == c.Ours {
				class = "bar ours"
			}
			fmt.Fprintf(&s, "<text x=\"8\" y=\"%d\">%s</text><rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/><text x=\"%.1f\" y=\"%d\">%.2f<tspan class=\"note\">  %s/s</tspan></text>\n",
				y+13, html.EscapeString(p.Server), class, labelWidth, y, ratio*scale, barHeight, labelWidth+ratio*scale+6, y+13, ratio, Thousands(p.PerCPU))
			y += barStep
		}
		fmt.Fprintf(&s, "<line class=\"line\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n", labelWidth+scale, labelWidth+scale, top-4, y)
		y += groupPadding - barStep/2
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Requests per second of processor time">
<style>%s</style>
<text class="title" x="0" y="16">Requests per second of a server's own processor time, the faster bare fasthttp = 1</text>
%s</svg>
`, chartWidth, y, chartWidth, y, chartStyle, s.String())
}

// wrap divides a text into lines, between words.
func wrap(text string, letters int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > letters {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// byQuestion groups adjacent paces by question.
func byQuestion(paces []Pace) (groups [][]Pace) {
	for _, p := range paces {
		if n := len(groups); n > 0 && groups[n-1][0].Question == p.Question {
			groups[n-1] = append(groups[n-1], p)
		} else {
			groups = append(groups, []Pace{p})
		}
	}
	return groups
}

// baseOf returns the rate of the fastest base server in a group.
func (c Chart) baseOf(group []Pace) float64 {
	fastest := 0.0
	for _, p := range group {
		if slices.Contains(c.Base, p.Server) {
			fastest = max(fastest, p.PerCPU)
		}
	}
	return fastest
}

// WriteChart draws a chart to a file.
func WriteChart(file string, c Chart) error {
	return os.WriteFile(file, []byte(c.draw()), 0o644)
}
