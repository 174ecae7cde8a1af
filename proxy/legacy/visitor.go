package legacy

import "github.com/lewistv/xcri-proxy/proxy/visitor"

// addVisitor adds the headers that report the client's address to the old API.
// Without a known address it adds none: 0.0.0.0 would be wrong.
func (r *request) addVisitor(v visitor.Visitor) {
	if v.Address.IsValid() {
		r.header("X-Forwarded-For", v.Address.String())
	}
	r.header("X-Forwarded-Proto", v.Proto)
	if v.Host != "" {
		r.header("X-Forwarded-Host", v.Host)
	}
}
