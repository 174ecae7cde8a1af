package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Request is the template of the request that purges tags. In the values of the header
// and in the body, {tags} stands for the tags separated by spaces, {tags_comma} for the
// tags separated by commas, {tags_json} for the tags as JSON strings separated by commas,
// and {token} for the token.
type Request struct {
	Method string   // empty means PURGE
	Header []string // each a name, a colon and a value; nil means DefaultHeader
	Body   string
	Token  string // is never shown
}

// DefaultHeader is the field that names the tags to purge in a request to Varnish.
const DefaultHeader = "xkey-purge: {tags}"

func (r Request) withDefaults() Request {
	if r.Method == "" {
		r.Method = "PURGE"
	}
	if r.Header == nil {
		r.Header = []string{DefaultHeader}
	}
	return r
}

// build returns the request that purges tags at a URL.
func (r Request) build(ctx context.Context, to string, tags []string) (*http.Request, error) {
	quoted := make([]string, len(tags))
	for i, tag := range tags {
		text, _ := json.Marshal(tag) // cannot fail for a string
		quoted[i] = string(text)
	}
	fields := strings.NewReplacer("{tags}", strings.Join(tags, " "), "{tags_comma}", strings.Join(tags, ","),
		"{tags_json}", strings.Join(quoted, ","), "{token}", r.Token)
	req, err := http.NewRequestWithContext(ctx, r.Method, to, strings.NewReader(fields.Replace(r.Body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "xcri-proxy")
	for _, line := range r.Header {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("the header %q has no colon", name)
		}
		name, value = strings.TrimSpace(name), fields.Replace(strings.TrimSpace(value))
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	return req, nil
}

// sendTimeout bounds one request.
const sendTimeout = 10 * time.Second

// send purges tags at a URL. Its error contains neither the URL nor the header, which
// may hold a secret.
func (r Request) send(ctx context.Context, client *http.Client, to string, tags []string) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	req, err := r.build(ctx, to, tags)
	if err != nil {
		return bare(err)
	}
	answer, err := client.Do(req)
	if err != nil {
		return bare(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection is used again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the answer was %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	return nil
}

// bare removes the URL from an error.
func bare(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// newClient returns a client that follows no redirect: a purge that is sent elsewhere has
// purged nothing.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxConnsPerHost = 2
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// nameOf returns the part of a URL that identifies a cache in front: host and path.
func nameOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "invalid URL"
	}
	return u.Host + strings.TrimSuffix(u.Path, "/")
}
