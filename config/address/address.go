// Package address checks the addresses in settings: hosts, ports, and the URL of a shared
// cache.
package address

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

// IsHost reports whether text is a host name or an IP address.
func IsHost(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil || hostName.MatchString(text)
}

// IsPort reports whether text is a port from least on.
func IsPort(text string, least uint64) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n >= least
}

// IsOrigin reports whether text is a URL of a scheme, a host and perhaps a port, and of
// nothing else.
func IsOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme+"://"+u.Host == text && IsHost(u.Hostname()) &&
		(IsPort(u.Port(), 1) || !strings.HasSuffix(u.Host, ":"+u.Port()))
}
