package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/lewistv/xcri-proxy/config/address"
)

// Admin configures the listener of the admin pages and access to them. ADMIN_TOKEN is
// in Config.
type Admin struct {
	Addr       string     // as ListenAddr; empty = on the public listener
	SocketMode SocketMode // of a Unix socket at Addr
	LocalToken Demand     // of the token, also on this machine
}

// SocketMode holds the permission bits of a Unix socket.
type SocketMode fs.FileMode

// String returns the mode as in chmod: 0660.
func (m SocketMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// Demand is whether something is required.
type Demand bool

// String returns required or optional.
func (d Demand) String() string {
	if d {
		return "required"
	}
	return "optional"
}

// Switch is whether something is done.
type Switch bool

// String returns on or off.
func (s Switch) String() string {
	if s {
		return "on"
	}
	return "off"
}

const (
	unixScheme = "unix:"
	// maxSocketPath is the longest path of a Unix socket that each system takes.
	maxSocketPath = 103
)

// UnixPath returns the path of an address that names a Unix socket.
func UnixPath(addr string) (path string, ok bool) { return strings.CutPrefix(addr, unixScheme) }

var socketMode = regexp.MustCompile(`^0?[0-7]{3}$`)

func parseAddr(text string) (string, error) {
	if path, ok := UnixPath(text); ok {
		if !filepath.IsAbs(path) || filepath.Clean(path) != path || path == "/" || len(path) > maxSocketPath || strings.ContainsFunc(path, isControl) {
			return "", fmt.Errorf("must be unix: and the absolute path of a socket, of at most %d bytes", maxSocketPath)
		}
		return text, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || host != "" && !address.IsHost(host) || !address.IsPort(port, 0) {
		return "", errors.New("must be host:port with a port from 0 to 65535, an IPv6 address in brackets, or unix: and a path")
	}
	return text, nil
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// parseAdminAddr accepts the addresses that parseAddr accepts, and the empty text for
// no listener.
func parseAdminAddr(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return parseAddr(text)
}

func parseSocketMode(text string) (SocketMode, error) {
	if !socketMode.MatchString(text) {
		return 0, errors.New("must be the octal mode of a socket, such as 0660")
	}
	mode, err := strconv.ParseUint(text, 8, 32)
	return SocketMode(mode), err
}

func parseSwitch(text string) (Switch, error) {
	switch strings.ToLower(text) {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, errors.New("must be on or off")
}

func parseDemand(text string) (Demand, error) {
	switch strings.ToLower(text) {
	case "required":
		return true, nil
	case "optional":
		return false, nil
	}
	return false, errors.New("must be required or optional")
}

// staysHere reports whether an address can be reached only from this machine.
func staysHere(addr string) bool {
	if _, ok := UnixPath(addr); ok || addr == "" {
		return true
	}
	host, _, _ := net.SplitHostPort(addr)
	ip, _ := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || ip.IsLoopback()
}

// sameAddr reports whether two listeners conflict because they have the same address.
func sameAddr(a, b string) bool { return a == b && !strings.HasSuffix(a, ":0") }
