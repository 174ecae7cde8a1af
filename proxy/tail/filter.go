package tail

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// Filter selects requests. Each field that is not zero must be met.
type Filter struct {
	Slow     time.Duration // least time to the answer
	Outcomes []string
	Routes   []string // paths of endpoints
	Clients  []netip.Prefix
}

// Names checks the names in a filter.
type Names struct {
	Outcomes []string
	RouteOf  func(name string) (path string, err error)
}

// ParseFilter reads a filter from the texts of its fields: a duration, and lists that are
// separated by commas. The error names the text at fault.
func ParseFilter(text func(field string) string, names Names) (f Filter, err error) {
	if slow := text("slow"); slow != "" {
		if f.Slow, err = time.ParseDuration(slow); err != nil || f.Slow < 0 {
			return f, fmt.Errorf("slow: %q is not a time such as 100ms", slow)
		}
	}
	for _, name := range list(text("outcome")) {
		if !slices.Contains(names.Outcomes, name) {
			return f, fmt.Errorf("outcome: there is no outcome %q; want some of %s", name, strings.Join(names.Outcomes, ", "))
		}
		f.Outcomes = append(f.Outcomes, name)
	}
	for _, name := range list(text("route")) {
		path, err := names.RouteOf(name)
		if err != nil {
			return f, err
		}
		f.Routes = append(f.Routes, path)
	}
	for _, client := range list(text("client")) {
		network, err := netip.ParsePrefix(client)
		if address, addressErr := netip.ParseAddr(client); err != nil && addressErr == nil {
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return f, fmt.Errorf("client: %q is neither an address nor a network such as 203.0.113.0/24", client)
		}
		f.Clients = append(f.Clients, network.Masked())
	}
	return f, nil
}

// list returns the parts of a list.
func list(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
}

// passes reports whether the filter selects a request.
func (f *Filter) passes(r *api.Request) bool {
	switch {
	case r.TookMS < float64(f.Slow)/float64(time.Millisecond),
		len(f.Outcomes) > 0 && !slices.Contains(f.Outcomes, r.Outcome),
		len(f.Routes) > 0 && !slices.Contains(f.Routes, r.Route):
		return false
	case len(f.Clients) == 0:
		return true
	}
	client, err := netip.ParseAddr(r.Client)
	return err == nil && slices.ContainsFunc(f.Clients, func(p netip.Prefix) bool { return p.Contains(client) })
}
