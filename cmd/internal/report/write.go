package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// text writes the report for a terminal or a mail.
func (r *Report) text(to io.Writer) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(&b, "%s\n%s\n\n", r.Heading(), r.Summary())
	for _, p := range r.Points {
		fmt.Fprintf(w, "%s\t%s\t%s\n", mark(p.Well), p.Name, p.Text)
	}
	_ = w.Flush() // a strings.Builder does not fail
	fmt.Fprint(&b, "\nOutcomes: ", r.OutcomeText(), "\n")
	if len(r.Hours) > 0 {
		fmt.Fprint(w, "\nfrom\tanswers\t5xx\trequests\thits\tp50 ms\tp95 ms\tp99 ms\tfills\tfill ms\t\n")
		for _, h := range r.Hours {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.1f %%\t%.2f\t%.2f\t%.2f\t%d\t%.1f\t\n", Clock(h.From), h.Answers, h.Errors, h.Requests, 100*h.HitRatio, h.P50MS, h.P95MS, h.P99MS, h.Fills, h.FillMS)
		}
		_ = w.Flush()
	}
	for _, o := range r.Outages {
		fmt.Fprintf(&b, "\nOutage %s: %s\n", o.Span(), o.Cause)
	}
	if len(r.Events) > 0 {
		fmt.Fprint(w, "\nEvents\n")
		for _, e := range r.Events {
			fmt.Fprintf(w, "%s\t%s\t%s\n", e.At.Local().Format(time.DateTime), e.Kind, e.Text)
		}
		_ = w.Flush()
	}
	if len(r.Slowest) > 0 {
		fmt.Fprint(w, "\nSlowest\n")
		for _, s := range r.Slowest {
			fmt.Fprintf(w, "%.1f ms\t%s\t%s\t%s\n", s.MS, s.When(), s.Target, s.Detail)
		}
		_ = w.Flush()
	}
	_, err := io.WriteString(to, b.String())
	return err
}

func mark(well bool) string {
	if well {
		return "well"
	}
	return "LOOK"
}

// Heading names the proxy and the period.
func (r *Report) Heading() string {
	return fmt.Sprintf("xcri-proxy %s at %s, %s to %s", r.Version, r.URL, r.From.Local().Format("2006-01-02 15:04"), r.To.Local().Format("2006-01-02 15:04 MST"))
}

// Summary is the result in a sentence.
func (r *Report) Summary() string {
	if r.Attention == 0 {
		return fmt.Sprintf("All %d points are well.", len(r.Points))
	}
	return fmt.Sprintf("Points that ask for attention: %d of %d.", r.Attention, len(r.Points))
}

// OutcomeText lists the outcomes from the best to the worst.
func (r *Report) OutcomeText() string {
	var all []string
	for _, name := range []string{"hit", "stale", "stale_error", "miss", "coalesced", "pass", "error"} {
		all = append(all, fmt.Sprintf("%s %d", name, r.Outcomes[name]))
	}
	return strings.Join(all, ", ")
}

// Span writes the time of an outage.
func (o Outage) Span() string {
	from := o.From.Local().Format(time.DateTime)
	if o.To == nil {
		return fmt.Sprintf("since %s, %.0f s", from, o.Seconds)
	}
	return fmt.Sprintf("from %s, %.0f s", from, o.Seconds)
}

// When writes the time of a request; empty if it is not known.
func (s Slow) When() string {
	if s.At.IsZero() {
		return ""
	}
	return s.At.Local().Format(time.DateTime)
}

// Clock writes a moment in Unix milliseconds.
func Clock(ms int64) string { return time.UnixMilli(ms).Local().Format("02 Jan 15:04") }

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"clock": Clock, "mark": mark, "time": func(t time.Time) string { return t.Local().Format(time.DateTime) },
	"percent": func(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) },
	"ms":      func(ms float64) string { return fmt.Sprintf("%.2f", ms) },
	"bar": func(all []api.Window, n int64) int {
		most := int64(1)
		for _, h := range all {
			most = max(most, h.Answers)
		}
		return int(100 * n / most)
	},
}).Parse(page))

// html writes the report as a page without references to others.
func (r *Report) html(to io.Writer) error { return pageTemplate.Execute(to, r) }
