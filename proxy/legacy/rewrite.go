package legacy

import (
	"bytes"
	"encoding/json"
	"strings"
)

// relocate turns a Location that leads to the old API into a path below prefix.
// The old API makes it from the host that it was asked by, which only we know,
// or from the one that the visitor asked for.
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

// plainHost is a host in the form in which it is compared: without the port that
// goes without saying.
func plainHost(host string) string {
	host = strings.ToLower(host)
	for _, port := range []string{":80", ":443"} {
		host = strings.TrimSuffix(host, port)
	}
	return host
}

// pages are those that name their own root, and what makes them name another.
var pages = map[string]func(body []byte, prefix string) []byte{
	"/docs":         referBelow,
	"/redoc":        referBelow,
	"/openapi.json": serveBelow,
}

// pageOf returns what changes the page that is asked for, nil for nothing.
func pageOf(v Visitor) func([]byte, string) []byte {
	if v.Prefix == "" {
		return nil
	}
	return pages[string(v.Path)]
}

// references are the paths that a page names: of the description, and of the page
// that a login with OAuth 2 comes back to.
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

// serveBelow lets a description say that the API is below prefix. All else in it
// stays as it is; what is no description stays so altogether.
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
