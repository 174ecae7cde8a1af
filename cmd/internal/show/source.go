package show

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// Sources returns a table of the sources.
func Sources(s api.SourceState) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	rest := "all routes"
	if len(s.Routes) > 0 {
		rest = "other routes"
	}
	for _, route := range slices.Sorted(maps.Keys(s.Routes)) {
		row(route, "%s", s.Routes[route])
	}
	row(rest, "%s", s.Default)
	if s.Changed {
		row("set while running", "--reset goes back to %s", inWords(s.Configured.Default, s.Configured.Routes))
	}
	for _, source := range slices.Sorted(maps.Keys(s.Breakers)) {
		if left := s.Breakers[source]; left.State == api.BreakerOpen && left.Since != nil {
			row("left by auto", "%s, since %s: %s", source, left.Since.Local().Format(time.DateTime), left.Reason)
		}
	}
	if s.Purged != nil {
		row("being loaded anew", "%s", plural.Of(*s.Purged, "answer"))
	}
	_ = w.Flush() // a strings.Builder does not fail
	return b.String()
}

// inWords writes sources as SOURCE and SOURCE_ROUTES do.
func inWords(all string, routes map[string]string) string {
	words := []string{all}
	for _, route := range slices.Sorted(maps.Keys(routes)) {
		words = append(words, route+"="+routes[route])
	}
	return strings.Join(words, ",")
}
