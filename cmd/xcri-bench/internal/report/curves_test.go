package report

import (
	"encoding/xml"
	"strings"
	"testing"
)

// TestCurves holds that a chart is XML with a line for each curve, and that higher values
// are higher in the chart.
func TestCurves(t *testing.T) {
	text := Curves{Title: "Use & limits", X: "members", Curves: []Curve{
		{"network", []Point{{1, 0.01}, {10, 0.1}, {1000, 10}}}, {"processor", []Point{{1, 0.5}, {1000, 0.5}}},
	}}.Draw()
	var all struct {
		Lines []struct {
			Points string `xml:"points,attr"`
		} `xml:"polyline"`
	}
	if err := xml.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Lines) != 2 || all.Lines[0].Points != "80.0,340.0 223.3,240.0 510.0,40.0" || !strings.Contains(text, "Use &amp; limits") {
		t.Errorf("%+v in %s", all, text)
	}
}
