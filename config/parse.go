package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/lewistv/xcri-proxy/config/address"
)

type (
	level    = slog.Level
	duration = time.Duration
	prefixes = []netip.Prefix
	sources  = map[string]string
	share    = Share
)

// maxDuration keeps sums of two settings far from an overflow.
const maxDuration = 365 * 24 * time.Hour

var (
	basePath   = regexp.MustCompile(`^(/\.?[\w~-]+(\.[\w~-]+)*)*$`)
	columnName = regexp.MustCompile(`^(athletes|teams|team-knockout)\.[A-Za-z_][A-Za-z0-9_]*$`)
	routePath  = regexp.MustCompile(`^/[!-~]*$`)

	parsePath   = matching[string](`^[^\x00-\x1f\x7f]*$`, "must be a path without control characters")
	parseSocket = matching[string](`^(/[^\x00-\x1f\x7f]+)?$`, "must be a path that begins with /")
	parseName   = matching[string](`^[^\x00-\x1f\x7f]{1,64}$`, "must be a name of 1 to 64 characters")
	parseToken  = matching[Secret](`^([!-~]{16,})?$`, "must be at least 16 printable ASCII characters without a space")
)

func anything[T ~string](text string) (T, error) { return T(text), nil }

func matching[T ~string](pattern, rule string) func(string) (T, error) {
	re := regexp.MustCompile(pattern)
	return func(text string) (T, error) {
		if !re.MatchString(text) {
			return "", errors.New(rule)
		}
		return T(text), nil
	}
}

// parseHosts parses one or several hosts, and removes spaces.
func parseHosts(text string) (string, error) {
	var hosts []string
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		switch {
		case !address.IsHost(item):
			return "", errors.New("must be a host name or an IP address, without port, or several, comma separated")
		case slices.Contains(hosts, item):
			return "", fmt.Errorf("names %s twice", shown(item))
		}
		hosts = append(hosts, item)
	}
	return strings.Join(hosts, ","), nil
}

func parseTLS(text string) (string, error) {
	switch text = strings.ToLower(text); text {
	case "off", "preferred", "required", "verify":
		return text, nil
	}
	return "", errors.New("must be off, preferred, required or verify")
}

func parseBasePath(text string) (string, error) {
	if text == "/" {
		return "", nil
	}
	if !basePath.MatchString(text) {
		return "", errors.New("must be a path like /iz/xcri of letters, digits, - _ ~ and single dots, without a slash at the end")
	}
	return text, nil
}

// parseLevel accepts the level names of Python's logging, since the old API's .env
// uses them.
func parseLevel(text string) (slog.Level, error) {
	switch strings.ToLower(text) {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error", "critical":
		return slog.LevelError, nil
	}
	return 0, errors.New("must be debug, info, warn (warning) or error (critical)")
}

func parseOrigins(text string) (list []string, err error) {
	// Browsers send scheme and host in lower case.
	for item := range strings.SplitSeq(strings.ToLower(text), ",") {
		item = strings.TrimSpace(item)
		switch {
		case item == "":
		case item == "*" && strings.TrimSpace(text) != "*":
			return nil, errors.New("must have * alone or not at all")
		case item == "*" || address.IsOrigin(item):
			list = append(list, item)
		default:
			return nil, fmt.Errorf("must be origins like https://host or https://host:port, comma separated; %s is not valid", shown(item))
		}
	}
	return list, nil
}

// parseColumns reads names such as athletes.national_rank.
func parseColumns(text string) (list []string, err error) {
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		switch {
		case item == "":
		case !columnName.MatchString(item):
			return nil, fmt.Errorf("must be columns like athletes.national_rank, comma separated; %s is not valid", shown(item))
		default:
			list = append(list, item)
		}
	}
	return list, nil
}

func parseLegacyURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "", nil
	case err != nil, u.User != nil, strings.ContainsAny(text, "?#"), !address.IsOrigin(u.Scheme + "://" + u.Host),
		u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("must be http://host:port or https://host:port, perhaps with a path, but without user, query or fragment")
	}
	return strings.TrimRight(text, "/"), nil
}

// parseNetworks parses addresses and networks. It refuses a network with bits set
// after its prefix, which is probably a mistake.
func parseNetworks(text string) (list []netip.Prefix, err error) {
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		network, err := netip.ParsePrefix(item)
		if ip, ipErr := netip.ParseAddr(item); ipErr == nil && ip.Zone() == "" {
			ip = ip.Unmap()
			network, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil || network != network.Masked() || network.Addr().Is4In6() {
			return nil, fmt.Errorf("must be addresses or networks like 10.0.0.1 or 10.0.0.0/8, comma separated; %s is not valid", shown(item))
		}
		list = append(list, network)
	}
	return list, nil
}

// parseShared parses the URL of a Redis or Valkey.
func parseShared(text string) (Secret, error) {
	if text == "" {
		return "", nil
	}
	if err := address.CheckShared(text); err != nil {
		return "", err
	}
	return Secret(text), nil
}

// The values of WARM: the answers that are loaded ahead of requests.
const (
	WarmLists  = "lists"  // the lists of the site, and the most requested answers
	WarmSeason = "season" // also the answers about every athlete and team of the live rankings
)

func parseWarm(text string) (string, error) {
	if text != WarmLists && text != WarmSeason {
		return "", errors.New("must be lists or season")
	}
	return text, nil
}

func parseSource(text string) (string, error) {
	switch text = strings.ToLower(text); text {
	case "store", "legacy", "auto":
		return text, nil
	}
	return "", errors.New("must be store, legacy or auto")
}

// parseSources parses route=source pairs. It does not check whether the routes exist.
func parseSources(text string) (map[string]string, error) {
	routes := map[string]string{}
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		route, source, found := strings.Cut(item, "=")
		source, err := parseSource(source)
		if !found || err != nil || !routePath.MatchString(route) {
			return nil, fmt.Errorf("must be pairs like /teams/=legacy, with store, legacy or auto, comma separated; %s is not valid", shown(item))
		}
		if _, twice := routes[route]; twice {
			return nil, fmt.Errorf("names %s twice", shown(route))
		}
		routes[route] = source
	}
	return routes, nil
}

// shareFrom returns a parser for percentages from least to 100 %, with or without the
// sign.
func shareFrom(least float64) func(string) (Share, error) {
	return func(text string) (Share, error) {
		percent, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
		share := math.Round(percent*1e6) / 1e8 // as many digits as show writes
		if err != nil || !(share >= least && share <= 1) {
			return 0, fmt.Errorf("must be a percentage from %s to 100%%", show(Share(least)))
		}
		return Share(share), nil
	}
}

func parseSlowdown(text string) (float64, error) {
	factor, err := strconv.ParseFloat(text, 64)
	if err != nil || factor != 0 && !(factor >= 1.5 && factor <= 1000) {
		return 0, errors.New("must be a number from 1.5 to 1000, or 0")
	}
	return factor, nil
}

func intBetween(least, most int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("must be a whole number from %d to %d", least, most)
		}
		return n, nil
	}
}

func sizeFrom(least int64) func(string) (int64, error) {
	return func(text string) (int64, error) {
		n, err := humanize.ParseBytes(text)
		if size := int64(n); err == nil && size >= least {
			return size, nil
		}
		return 0, fmt.Errorf("must be a size of at least %s, such as 512MiB, 512MB or 536870912", show(least))
	}
}

func durationFrom(least time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		unit := ""
		if _, err := strconv.Atoi(text); err == nil {
			unit = "s"
		}
		d, err := time.ParseDuration(text + unit)
		if err != nil || d < least || d > maxDuration {
			return 0, fmt.Errorf("must be a duration from %s to %s, such as 90s or 1m30s; a bare number is seconds",
				show(least), show(maxDuration))
		}
		return d, nil
	}
}

func parseSeconds(text string) (time.Duration, error) {
	d, err := durationFrom(0)(text)
	if err == nil && d%time.Second != 0 {
		err = errors.New("must be whole seconds, such as 30s")
	}
	return d, err
}

// show formats a value so that its parser returns the same value: a size in the largest
// unit that divides it, a duration without its zero parts.
func show(value any) string {
	switch v := value.(type) {
	case []string:
		return strings.Join(v, ",")
	case fields:
		return strings.Join(v, "; ")
	case []netip.Prefix:
		var texts []string
		for _, p := range v {
			text := p.String()
			if p.IsSingleIP() {
				text = p.Addr().String()
			}
			texts = append(texts, text)
		}
		return strings.Join(texts, ",")
	case map[string]string:
		var pairs []string
		for _, route := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, route+"="+v[route])
		}
		return strings.Join(pairs, ",")
	case Share:
		return strconv.FormatFloat(math.Round(float64(v)*1e8)/1e6, 'f', -1, 64) + "%"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int64:
		units := []string{"", "KiB", "MiB", "GiB"}
		for v > 0 && v%1024 == 0 && len(units) > 1 {
			v, units = v/1024, units[1:]
		}
		return strconv.FormatInt(v, 10) + units[0]
	case time.Duration:
		text := strings.Replace(v.String(), "m0s", "m", 1)
		return strings.Replace(text, "h0m", "h", 1)
	}
	return fmt.Sprint(value)
}
