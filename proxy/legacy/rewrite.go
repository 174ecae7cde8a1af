package legacy

import (
	"bytes"
	"encoding/json"
	"strings"
)

// relocate turns a Location that leads to the old API into a path below prefix.
// The old API builds the URL from the host of the request: its own address, which
// clients can't reach, or the host that the client requested.
func (c *Client) relocate(location, prefix, visited string) string {
	rest := location
	if scheme, after, found := strings.Cut(location, "//"); found && (scheme == "" || scheme == "http:" || scheme == "https:") {
		end := strings.IndexAny(after+"/", `/\?#`)
		if host := plainHost(after[:end]); host != plainHost(c.root.Host) && host != plainHost(visited) {
			return location
		}
		rest = "/" + strings.TrimPrefix(after[end:], "/")
	} else if !strings.HasPrefix(location, "/") {
		return location
	}
	if below := strings.TrimPrefix(rest, c.root.Path); below == "" || strings.ContainsAny(below[:1], "/?#") {
		rest = below
	}
	if prefix != "" && (rest == prefix || strings.HasPrefix(rest, prefix+"/")) {
		return rest
	}
	// Two slashes in front would name another host.
	return prefix + "/" + strings.TrimLeft(rest, "/\\ \t")
}

// plainHost normalizes a host for comparison: it removes the default port.
func plainHost(host string) string {
	host = strings.ToLower(host)
	for _, port := range []string{":80", ":443"} {
		host = strings.TrimSuffix(host, port)
	}
	return host
}

// pages maps each page that contains the API's root to the function that rewrites
// the root.
var pages = map[string]func(body []byte, prefix string) []byte{
	"/docs":         referBelow,
	"/redoc":        referBelow,
	"/openapi.json": serveBelow,
}

// pageOf returns the function that rewrites the requested page; nil means no
// rewrite.
func pageOf(v Visitor) func([]byte, string) []byte {
	if v.Prefix == "" {
		return nil
	}
	return pages[string(v.Path)]
}

// references are the paths in the pages: the OpenAPI description, and the redirect
// page of a login with OAuth 2.
var references = []string{"/openapi.json", "/docs/oauth2-redirect"}

// referBelow puts a page's references below prefix.
func referBelow(html []byte, prefix string) []byte {
	for _, quote := range []string{`'`, `"`} {
		for _, path := range references {
			html = bytes.ReplaceAll(html, []byte(quote+path+quote), []byte(quote+prefix+path+quote))
		}
	}
	return html
}

// serveBelow sets the servers of an OpenAPI description to prefix and leaves the
// rest unchanged. A body that is not a JSON object is returned unchanged.
func serveBelow(description []byte, prefix string) []byte {
	servers, err := json.Marshal([]map[string]string{{"url": prefix}})
	dec := json.NewDecoder(bytes.NewReader(description))
	if start, _ := dec.Token(); err != nil || start != json.Delim('{') {
		return description
	}
	first := dec.InputOffset()
	for dec.More() {
		name, err := dec.Token()
		var value json.RawMessage
		if err != nil || dec.Decode(&value) != nil {
			return description
		}
		if name == "servers" {
			end := int(dec.InputOffset())
			return bytes.Join([][]byte{description[:end-len(value)], servers, description[end:]}, nil)
		}
	}
	member := append([]byte(`"servers":`), servers...)
	if rest := bytes.TrimSpace(description[first:]); !bytes.HasPrefix(rest, []byte("}")) {
		member = append(member, ',')
	}
	return bytes.Join([][]byte{description[:first], member, description[first:]}, nil)
}
