package gate

import (
	"crypto/sha256"
	_ "embed" // for the login page
	"encoding/base64"
	"html"
	"strings"
)

var (
	//go:embed login.html
	loginHTML string
	//go:embed login.css
	loginCSS string
)

// LoginPolicy is the Content-Security-Policy of the login page: its own style, its
// own form, and nothing else.
var LoginPolicy = func() string {
	hash := sha256.Sum256([]byte(loginCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; img-src data:; " +
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}()

// LoginPage returns the page that asks for the admin token, with a message unless it is
// empty. Path is the requested path, at or below /cache. The page needs no script.
func LoginPage(path, message string) []byte {
	hidden := ""
	if message == "" {
		hidden = " hidden"
	}
	return []byte(strings.NewReplacer("{{style}}", loginCSS, "{{hidden}}", hidden,
		"{{message}}", html.EscapeString(message), "{{action}}", loginFrom(path)).Replace(loginHTML))
}

// loginFrom returns the address of the login relative to a path at or below
// /cache, so that it is right below any prefix.
func loginFrom(path string) string {
	below := path[strings.LastIndex(path, "/cache")+len("/cache"):]
	if below == "" {
		return "cache/login"
	}
	return strings.Repeat("../", strings.Count(below, "/")-1) + "login"
}
