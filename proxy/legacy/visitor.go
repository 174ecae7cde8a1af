package legacy

import "github.com/lewistv/xcri-proxy/proxy/visitor"

// addVisitor adds the headers from which the old API learns who sent the request.
// Without a known address there is none to report, and 0.0.0.0 would be a lie.
func (r *request) addVisitor(v visitor.Visitor) {
	if v.Address.IsValid() {
		r.header("X-Forwarded-For", v.Address.String())
	}
	r.header("X-Forwarded-Proto", v.Proto)
	if v.Host != "" {
		r.header("X-Forwarded-Host", v.Host)
	}
}
