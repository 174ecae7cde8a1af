package oldapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// response is an answer before it is written.
type response struct {
	status int
	header [][2]string
	body   []byte
}

const (
	contentJSON = "application/json"
	contentHTML = "text/html; charset=utf-8"
)

// page is a path that accepts GET and has no recorded answer.
type page struct{ contentType, body string }

// pages contain the same references as the pages of FastAPI.
var pages = map[string]page{
	"/docs": {contentHTML, `<!DOCTYPE html><title>Docs</title><div id="docs"></div>
<script>const ui = SwaggerUIBundle({url: '/openapi.json', dom_id: '#docs', deepLinking: true,
oauth2RedirectUrl: window.location.origin + '/docs/oauth2-redirect'})</script>
`},
	"/redoc": {contentHTML, `<!DOCTYPE html><title>Redoc</title>
<redoc spec-url="/openapi.json"></redoc>
`},
	"/openapi.json": {contentJSON, `{"openapi":"3.1.0","info":{"title":"Rankings","version":"1"},"paths":{"/feedback/":{"post":{"summary":"` +
		strings.Repeat("Contact. ", 200) + `"}}}}`},
	"/feedback/status": {contentJSON, `{"enabled":true,"rate_limits":{"hour":3,"day":10}}`},
}

// hourly is the limit of feedback posts per address and hour.
const hourly = 3

// answer returns the old API's answer to a request.
func (s *Server) answer(r Request) response {
	path, query, _ := strings.Cut(r.Target, "?")
	resp := s.route(r, path, query)
	resp.header = append([][2]string{{"date", time.Now().UTC().Format(http.TimeFormat)}, {"server", "uvicorn"}}, resp.header...)
	if origin := r.Header.Get("Origin"); origin != "" {
		resp.set("access-control-allow-origin", origin)
		resp.set("access-control-allow-credentials", "true")
		resp.set("vary", "Origin")
	}
	if len(resp.body) >= 1000 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		resp.body = compress(resp.body)
		resp.set("content-encoding", "gzip")
		resp.set("vary", "Accept-Encoding")
	}
	resp.set("content-length", strconv.Itoa(len(resp.body)))
	return resp
}

func (s *Server) route(r Request, path, query string) response {
	if path == "/feedback/" {
		return s.feedback(r)
	}
	recorded, known := s.answers[s.opts.Key(r.Target)]
	p, own := pages[path]
	get := r.Method == http.MethodGet
	if get && s.opts.Answer != nil {
		if a := s.opts.Answer(r.Target); a.Status != 0 {
			return text(a.Status, contentJSON, a.Body)
		}
	}
	switch {
	case get && own:
		return text(http.StatusOK, p.contentType, p.body)
	case get && known:
		return text(recorded.Status, recorded.ContentType, recorded.Body)
	case s.paths[path] && !get:
		resp := detail(http.StatusMethodNotAllowed, "Method Not Allowed")
		resp.set("allow", "GET")
		return resp
	}
	if other := slashed(path); s.paths[other] || other == "/feedback/" {
		resp := response{status: http.StatusTemporaryRedirect}
		resp.set("location", "http://"+r.Host+other+strings.TrimSuffix("?"+query, "?"))
		return resp
	}
	return detail(http.StatusNotFound, "Not Found")
}

// slashed returns path with its final slash removed, or added if it has none.
func slashed(path string) string {
	if less, ok := strings.CutSuffix(path, "/"); ok {
		return less
	}
	return path + "/"
}

// feedback accepts a JSON text unless the address has exceeded its limit.
func (s *Server) feedback(r Request) response {
	if r.Method != http.MethodPost {
		resp := detail(http.StatusMethodNotAllowed, "Method Not Allowed")
		resp.set("allow", "POST")
		return resp
	}
	if !json.Valid([]byte(r.Body)) {
		return detail(http.StatusUnprocessableEntity, "JSON decode error")
	}
	address, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	s.mu.Lock()
	defer s.mu.Unlock()
	recent := s.posts[address][:0]
	for _, t := range s.posts[address] {
		if time.Since(t) < time.Hour {
			recent = append(recent, t)
		}
	}
	if len(recent) >= hourly {
		return detail(http.StatusTooManyRequests, "Too much feedback, try again later")
	}
	s.posts[address] = append(recent, time.Now())
	return text(http.StatusOK, contentJSON, `{"success":true}`)
}

func text(status int, contentType, body string) response {
	return response{status, [][2]string{{"content-type", contentType}}, []byte(body)}
}

func detail(status int, what string) response {
	return text(status, contentJSON, `{"detail":`+strconv.Quote(what)+`}`)
}

// head returns the status line and the headers.
func (r response) head() string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 " + strconv.Itoa(r.status) + " " + http.StatusText(r.status) + "\r\n")
	for _, h := range r.header {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	return b.String() + "\r\n"
}

// set adds a header in place; the answer must not be shared.
func (r *response) set(name, value string) { r.header = append(r.header, [2]string{name, value}) }

// with returns a copy of the answer with a further header; without returns a copy
// without a header.
func (r response) with(name, value string) response {
	r.header = append(slices.Clone(r.header), [2]string{name, value})
	return r
}

func (r response) without(name string) response {
	r.header = slices.DeleteFunc(slices.Clone(r.header), func(h [2]string) bool { return h[0] == name })
	return r
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(body)
	w.Close()
	return b.Bytes()
}
