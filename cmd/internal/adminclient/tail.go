package adminclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// maxLine is longer than any line of /cache/tail, in bytes.
const maxLine = 256 << 10

// TailLine is a line of /cache/tail: a request, or the number of requests that were lost
// because the client read too slowly.
type TailLine struct {
	api.Request
	api.TailLost
	Text []byte // the line itself, valid during the call
}

// Tail calls each for every line, until ctx ends or the proxy ends the answer, which is no
// error. The filter has the fields of the page.
func (c *Client) Tail(ctx context.Context, filter url.Values, each func(*TailLine) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/cache/tail?"+filter.Encode(), nil)
	if err != nil {
		return c.fail(Failed, err.Error())
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	late := time.AfterFunc(c.timeout, cancel) // until the answer begins
	resp, err := c.http.Do(req)
	inTime := late.Stop()
	if err != nil {
		if !inTime {
			return &Error{Unreachable, c.name, "no answer", err}
		}
		if urlErr := (*url.Error)(nil); errors.As(err, &urlErr) {
			err = urlErr.Err
		}
		return &Error{Unreachable, c.name, err.Error(), err}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		return c.read(resp.StatusCode, body, nil)
	}
	return c.tailLines(resp.Body, each)
}

func (c *Client) tailLines(from io.Reader, each func(*TailLine) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue // shows that the proxy is still there
		}
		line := TailLine{Text: text}
		if err := json.Unmarshal(text, &line); err != nil {
			return c.NotOurs()
		}
		if err := each(&line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return &Error{Unreachable, c.name, err.Error(), err}
	}
	return nil
}
