package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/config/address"
)

// Front configures the caches in front of the proxy, such as Varnish or a CDN.
type Front struct {
	Tags         string        // off, surrogate-key, xkey or cache-tag: the header that names an answer's tags
	MaxAge       time.Duration // max-age in CDN-Cache-Control, whole seconds; 0 = no such header
	StaleIfError time.Duration // stale-if-error in CDN-Cache-Control, whole seconds
	PurgeURLs    []string      // caches to purge by tag
	Method       string        // of the purges
	Headers      fields        // of the purges, each a name, a colon and a value
	Body         string        // of the purges
	Token        Secret        // stands for {token} in Headers and Body
}

// names reports whether a purge contains text, which begins a placeholder.
func (f Front) names(text string) bool {
	return strings.Contains(f.Body, text) || slices.ContainsFunc(f.Headers, func(h string) bool { return strings.Contains(h, text) })
}

// fields are header fields, each a name, a colon and a value.
type fields []string

var (
	headerField  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ -~]*$")
	placeholders = regexp.MustCompile(`\{[a-z_]*\}`)

	parseMethod      = matching[string]("^[A-Z]{1,20}$", "must be a method in capital letters, such as PURGE or POST")
	parseSecretToken = matching[Secret](`^[!-~]*$`, "must be printable ASCII characters without a space")
)

func parseTags(text string) (string, error) {
	switch text = strings.ToLower(text); text {
	case "off", "surrogate-key", "xkey", "cache-tag":
		return text, nil
	}
	return "", errors.New("must be off, surrogate-key, xkey or cache-tag")
}

func parsePurgeURLs(text string) (list []string, err error) {
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		u, err := url.Parse(item)
		switch {
		case item == "":
		case err != nil, u.User != nil, strings.ContainsAny(item, "#"), !address.IsOrigin(u.Scheme + "://" + u.Host),
			u.Scheme != "http" && u.Scheme != "https":
			return nil, errors.New("must be http://host:port or https://host:port, perhaps with a path, but without user or fragment, or several, comma separated")
		case slices.Contains(list, item):
			return nil, errors.New("names a URL twice")
		default:
			list = append(list, item)
		}
	}
	return list, nil
}

// parseFields parses header fields that are separated by semicolons.
func parseFields(text string) (list fields, err error) {
	for item := range strings.SplitSeq(text, ";") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		if !headerField.MatchString(item) {
			return nil, errors.New("must be header fields like Authorization: Bearer {token}, separated by semicolons")
		}
		if err := knownPlaceholders(item); err != nil {
			return nil, err
		}
		name, value, _ := strings.Cut(item, ":")
		list = append(list, name+": "+strings.TrimSpace(value))
	}
	return list, nil
}

func parseBody(text string) (string, error) { return text, knownPlaceholders(text) }

// knownPlaceholders returns an error for a placeholder that no purge replaces.
func knownPlaceholders(text string) error {
	for _, name := range placeholders.FindAllString(text, -1) {
		if !slices.Contains([]string{"{tags}", "{tags_comma}", "{tags_json}", "{token}", "{}"}, name) {
			return fmt.Errorf("must have no other placeholders than {tags}, {tags_comma}, {tags_json} and {token}; %s is unknown", name)
		}
	}
	return nil
}
