package gate

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// errBusy is the error of an account that could not be found in time.
var errBusy = errors.New("too many concurrent requests")

// notLocal returns why a request does not come from an operator on this machine;
// empty if it does. The error is errBusy if the account could not be found in time. Each
// rule refuses a request of another origin:
//
//   - A browser here that follows a name which an attacker resolves to this
//     machine sends that name as its Host (DNS rebinding).
//   - A proxy adds a header, speaks HTTP/1.0, or passes the visitor's Host.
//   - A proxy that does none of that still runs under a service account.
func (g *Gate) notLocal(r *Request) (why string, busy error) {
	switch {
	case g.opts.LocalToken:
		return "the admin token is required on this machine, too", nil
	case r.Peer.IsValid() && !r.Peer.IsLoopback():
		return "the request comes from another machine", nil
	case !r.HTTP11:
		return "HTTP/1.0 is spoken by proxies, not by operators", nil
	case len(r.Hosts) == 0 || slices.ContainsFunc(r.Hosts, func(h string) bool { return !isLocalHost(h) }):
		return "its Host is not localhost, 127.0.0.1 or [::1]", nil
	}
	for _, f := range r.Fields {
		if isForwarding(f.Name) {
			return fmt.Sprintf("the header %.40q shows that a proxy forwarded it", f.Name), nil
		}
	}
	if r.Private {
		return "", nil // the listener's address or mode limits who can connect
	}
	uid, err := r.Account()
	if errors.Is(err, errBusy) {
		return "", err
	}
	return notOperator(uid, os.Getuid(), err), nil
}

// isLocalHost reports whether a Host names this machine, with any port. A name
// that only resolves to it does not count.
func isLocalHost(host string) bool {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name = host[:i]
		if n, err := strconv.ParseUint(host[i+1:], 10, 16); err != nil || n == 0 {
			return false
		}
	}
	switch strings.ToLower(name) {
	case "localhost", "127.0.0.1", "[::1]":
		return true
	}
	return false
}

// forwardingWords mark the name of a header that proxies and CDNs add, such as
// X-Forwarded-For, Via, CF-Connecting-IP, True-Client-IP, X-Envoy-Original-Path.
var forwardingWords = []string{
	"forwarded", "forward", "forwarder", "via", "ip", "clientip", "proxy", "proxied", "proto", "scheme", "original", "originating", "remote",
	"forwards", "host", "cdn", "cf", "akamai", "amz", "amzn", "appengine", "appgw", "arr", "azure", "edge", "envoy", "fastly", "fly", "haproxy", "nginx",
	"cloud", "https", "lscache", "ssl", "sucuri", "surrogate", "traefik", "varnish", "vercel",
}

// isForwarding reports whether proxies add a header of this name. Programs on this
// machine send no such header, with any value. Words are separated by - or _, since some
// servers treat both alike.
func isForwarding(name string) bool {
	if strings.EqualFold(name, "Host") {
		return false
	}
	for word := range strings.FieldsFuncSeq(strings.ToLower(name), func(c rune) bool { return c == '-' || c == '_' }) {
		if slices.Contains(forwardingWords, word) {
			return true
		}
	}
	return false
}

// Accounts of services: system accounts, the accounts that systemd allocates for a
// service, and the account with the largest ID. Web servers run as one of them. Source:
// login.defs(5), systemd.exec(5) on DynamicUser.
const (
	lastSystemUID               = 999
	firstDynamicUID, unusableID = 61184, 65535
)

// notOperator returns the reason why an account does not belong to an operator; empty
// if the account is root, own (the proxy's), or a person's. An unknown account is
// refused, except where the system does not provide accounts.
func notOperator(uid, own int, err error) string {
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return ""
	case err != nil:
		return "the account that sent it is not known: " + err.Error()
	case uid == 0 || uid == own:
		return ""
	case uid <= lastSystemUID || uid >= firstDynamicUID && uid <= unusableID:
		return fmt.Sprintf("it comes from a service, with user ID %d, such as a web server", uid)
	}
	return ""
}

// crossSite reports whether a browser sends a request on behalf of another
// site's page. Source: Fetch Metadata; older browsers send Origin or Referer.
func (r *Request) crossSite() bool {
	if sites := r.lines("sec-fetch-site"); len(sites) > 0 {
		return slices.ContainsFunc(sites, func(s string) bool { return s != "same-origin" && s != "none" })
	}
	own := slices.Clone(r.Hosts)
	// A page of another site can't set it: no preflight for this path succeeds.
	for _, list := range r.lines("x-forwarded-host") {
		own = append(own, strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:]))
	}
	pages := r.lines("origin")
	if len(pages) == 0 {
		pages = r.lines("referer")
	}
	return slices.ContainsFunc(pages, func(page string) bool {
		_, host, _ := strings.Cut(page, "://")
		host, _, _ = strings.Cut(host, "/")
		return host == "" || !slices.ContainsFunc(own, func(o string) bool { return strings.EqualFold(o, host) })
	})
}
