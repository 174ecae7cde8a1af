// Package show writes the states of a running proxy for people.
package show

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// meanings explain the outcomes.
var meanings = map[string]string{
	"hit": "served fresh from the cache", "stale": "from the cache, while it is refreshed",
	"stale_error": "from the cache, because the database fails", "miss": "has to be loaded",
	"error": "not in the cache, and the database is down",
}

// Entry returns a table of an entry.
func Entry(s api.Entry) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("route", "%s", s.Route)
	row("key", "%s", s.Key)
	row("scope", "%s", s.Scope)
	row("outcome", "%s: %s", s.Outcome, meanings[s.Outcome])
	if s.Where == nil {
		row("generation", "%s is published", console.OrNone(s.Current))
		_ = w.Flush() // a strings.Builder does not fail
		return b.String()
	}
	row("where", "%s, %s, requested %s recently", *s.Where, console.Bytes(*s.Cost), plural.Of(int64(*s.Asked), "time"))
	switch *s.Generation {
	case "":
		row("generation", "none, as the database is not asked for it")
	case s.Current:
		row("generation", "%s, which is published", *s.Generation)
	default:
		row("generation", "%s, but %s is published", *s.Generation, console.OrNone(s.Current))
	}
	row("loaded", "%s, in %.1f ms", s.Filled.Local().Format(time.DateTime), *s.TookMS)
	row("age", "%.0f s", *s.Age)
	row("status", "%d", *s.Status)
	row("size", "%s", console.Bytes(int64(*s.Size)))
	for _, v := range s.Variants {
		size := "made as it is sent"
		if v.Bytes != nil {
			size = console.Bytes(int64(*v.Bytes))
		}
		row("  "+v.Coding, "%s, ETag %s", size, v.ETag)
	}
	_ = w.Flush()
	return b.String()
}
