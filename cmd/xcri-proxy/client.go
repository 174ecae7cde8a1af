package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/config"
)

const (
	// requestTimeout bounds one question to a running proxy.
	requestTimeout = 10 * time.Second
	// maxAnswer is more than any answer that a command reads.
	maxAnswer = 8 << 20
)

// directClient asks directly, whatever proxy the environment names, and takes
// no redirect for an answer.
func directClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send returns the status and body of an answer, at most limit bytes of it. Its
// error does not repeat the URL.
func send(client *http.Client, req *http.Request, limit int64) (status int, body []byte, err error) {
	resp, err := client.Do(req)
	if err != nil {
		if urlErr := (*url.Error)(nil); errors.As(err, &urlErr) {
			err = urlErr.Err
		}
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit))
	return resp.StatusCode, body, err
}

// baseURL returns where to ask a proxy that listens on addr. One that listens
// on every address is asked on the loopback.
func baseURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", fmt.Errorf("LISTEN_ADDR=%q leaves the port open; give the one in use with --listen-addr", addr)
	}
	ip, _ := netip.ParseAddr(host)
	switch {
	case ip == netip.IPv6Unspecified():
		host = "::1"
	case host == "" || ip.IsValid() && ip.IsUnspecified():
		host = "127.0.0.1"
	}
	target := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	return target.String(), nil
}

// addClientFlags gives cmd what the commands share that tell a running proxy to
// do something: --url, which it returns, and the keys they read, more among them.
func addClientFlags(cmd *cobra.Command, more ...string) (at *string) {
	at = cmd.Flags().String("url", "", "where the proxy is, if not on LISTEN_ADDR: http://host:port, or the site's URL with BASE_PATH")
	wanted := append(more, "ENV_FILE", "LISTEN_ADDR", "ADMIN_TOKEN")
	addKeyFlags(cmd, slices.DeleteFunc(config.Keys(), func(k config.Key) bool { return !slices.Contains(wanted, k.Name) }))
	return at
}

// client talks to the pages below /cache of a running proxy.
type client struct {
	base    string
	token   string
	http    *http.Client
	timeout time.Duration // of one question
}

// client reads the configuration of cmd and returns it with what asks the proxy
// that it, or the flag at, tells of.
func (p *program) client(cmd *cobra.Command, at string) (*client, config.Config, error) {
	cfg, err := p.load(cmd)
	if err != nil {
		return nil, cfg, err
	}
	c, err := newClient(cfg, at)
	return c, cfg, err
}

func newClient(cfg config.Config, at string) (*client, error) {
	base, err := strings.TrimRight(at, "/"), error(nil)
	if at == "" {
		base, err = baseURL(cfg.ListenAddr)
	} else if u, parseErr := url.Parse(at); parseErr != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		err = errors.New("--url: want http://host:port or https://host/path")
	}
	return &client{base, string(cfg.AdminToken), directClient(), requestTimeout}, err
}

// ask sends a request for a page below /cache, with question as its body unless
// that is nil, and reads the answer into answer. The error is a runtimeError
// with the exit status that fits.
func (c *client) ask(ctx context.Context, method, page string, question, answer any) error {
	body := &bytes.Buffer{}
	if question != nil {
		enc := json.NewEncoder(body)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(question); err != nil {
			return err // not reached: plain texts
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+page, body)
	if err != nil {
		return err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	req.Header.Set("Content-Type", "application/json")
	status, got, err := send(c.http, req, maxAnswer)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return c.problem(exitUnreachable, "no answer")
	case err != nil:
		return c.problem(exitUnreachable, err.Error())
	}
	return c.read(status, got, answer)
}

// read takes an answer apart.
func (c *client) read(status int, body []byte, answer any) error {
	var refusal struct{ Detail any }
	switch {
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		return c.problem(exitUnreachable, fmt.Sprintf("got HTTP %d", status))
	case status/100 == 2:
		if json.Unmarshal(body, answer) != nil {
			return c.problem(exitRuntime, "got an answer that is not xcri-proxy's")
		}
		return nil
	case json.Unmarshal(body, &refusal) != nil || refusal.Detail == nil:
		return c.problem(exitRuntime, fmt.Sprintf("got HTTP %d with an answer that is not xcri-proxy's", status))
	case status == http.StatusTooManyRequests:
		return c.problem(exitUnreachable, fmt.Sprintf("is busy: %v", refusal.Detail))
	case status == http.StatusUnprocessableEntity:
		return fmt.Errorf("%v", refusal.Detail) // the command line is wrong
	}
	return c.problem(exitRuntime, fmt.Sprintf("got HTTP %d: %v", status, refusal.Detail))
}

func (c *client) problem(status int, text string) error {
	return runtimeError{error: fmt.Errorf("%s: %s", c.base, text), status: status}
}

// printJSON writes v on a line of its own.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
