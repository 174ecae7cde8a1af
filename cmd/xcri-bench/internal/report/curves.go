package report

import (
	"fmt"
	"html"
	"math"
	"os"
	"strings"
)

// Sizes of a chart of curves, in pixels.
const (
	plotLeft   = 80
	plotWidth  = 430
	plotHeight = 300
)

// curveColors are readable on light and on dark pages.
var curveColors = []string{"#0969da", "#bf3989", "#9a6700", "#1a7f37", "#8250df"}

// Point is a point of a curve. Both values are above zero.
type Point struct{ X, Y float64 }

// Curve is a line in a chart.
type Curve struct {
	Name   string
	Points []Point
}

// Curves is a chart with logarithmic axes, and a dashed line at 1.
type Curves struct {
	Title, X string // above the chart, and below it
	Curves   []Curve
}

// Draw returns the chart as SVG.
func (c Curves) Draw() string {
	low, high := Point{math.Inf(1), 1}, Point{0, 1}
	for _, one := range c.Curves {
		for _, p := range one.Points {
			low, high = Point{min(low.X, p.X), min(low.Y, p.Y)}, Point{max(high.X, p.X), max(high.Y, p.Y)}
		}
	}
	low.Y, high.Y = math.Pow(10, math.Floor(math.Log10(low.Y))), math.Pow(10, math.Ceil(math.Log10(high.Y)))
	const top = 40
	x := func(v float64) float64 { return plotLeft + plotWidth*math.Log(v/low.X)/math.Log(high.X/low.X) }
	y := func(v float64) float64 { return top + plotHeight*(1-math.Log(v/low.Y)/math.Log(high.Y/low.Y)) }
	var s strings.Builder
	for v := low.Y; v <= high.Y*1.01; v *= 10 {
		fmt.Fprintf(&s, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"note\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
			plotLeft, plotLeft+plotWidth, y(v), y(v), plotLeft-8, y(v)+4, v)
	}
	for v := low.X; v <= high.X*1.01; v *= 10 {
		fmt.Fprintf(&s, "<text class=\"note\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n", x(v), top+plotHeight+20, v)
	}
	fmt.Fprintf(&s, "<line class=\"line\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n", plotLeft, plotLeft+plotWidth, y(1), y(1))
	fmt.Fprintf(&s, "<text class=\"note\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", plotLeft+plotWidth/2, top+plotHeight+42, html.EscapeString(c.X))
	for i, one := range c.Curves {
		var points []string
		for _, p := range one.Points {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(p.X), y(p.Y)))
		}
		color, at := curveColors[i%len(curveColors)], top+16+i*22
		fmt.Fprintf(&s, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"%s\"/>\n", color, strings.Join(points, " "))
		fmt.Fprintf(&s, "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"4\" fill=\"%s\"/><text x=\"%d\" y=\"%d\">%s</text>\n",
			plotLeft+plotWidth+14, at-7, color, plotLeft+plotWidth+32, at, html.EscapeString(one.Name))
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">
<style>%s	.grid { stroke: #8c959f; stroke-opacity: 0.3; }
</style>
<text class="title" x="0" y="16">%s</text>
%s</svg>
`, chartWidth, top+plotHeight+56, chartWidth, top+plotHeight+56, html.EscapeString(c.Title), chartStyle, html.EscapeString(c.Title), s.String())
}

// WriteCurves draws a chart to a file.
func WriteCurves(file string, c Curves) error { return os.WriteFile(file, []byte(c.Draw()), 0o644) }
