package adminclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// get calls a page with GET and decodes its answer.
func get[T any](ctx context.Context, c *Client, page string) (answer T, err error) {
	err = c.call(ctx, http.MethodGet, page, nil, &answer)
	return answer, err
}

// post calls a page with POST and decodes its answer.
func post[T any](ctx context.Context, c *Client, page string, question any) (answer T, err error) {
	err = c.call(ctx, http.MethodPost, page, question, &answer)
	return answer, err
}

// Warm requests a poll of the database, or adds paths to the next poll.
func (c *Client) Warm(ctx context.Context, q api.WarmRequest) (api.WarmTicket, error) {
	return post[api.WarmTicket](ctx, c, "/cache/warm", q)
}

// WarmState returns the progress of the warm-up. With the date of a snapshot it
// reports whether that is published.
func (c *Client) WarmState(ctx context.Context, snapshot string) (api.WarmState, error) {
	page := "/cache/warm"
	if snapshot != "" {
		page += "?snapshot=" + url.QueryEscape(snapshot)
	}
	return get[api.WarmState](ctx, c, page)
}

// Stats returns the figures of the proxy.
func (c *Client) Stats(ctx context.Context) (api.Stats, error) {
	return get[api.Stats](ctx, c, "/cache/stats")
}

// History returns the samples that were taken after a moment in Unix milliseconds.
func (c *Client) History(ctx context.Context, after int64) (api.History, error) {
	return get[api.History](ctx, c, "/cache/history?after="+strconv.FormatInt(after, 10))
}

// Period returns the samples of two days that were taken after a moment, without the
// routes' figures, and the sum of the time between from and to.
func (c *Client) Period(ctx context.Context, after, from, to time.Time) (api.History, error) {
	return get[api.History](ctx, c, fmt.Sprintf("/cache/history?range=48h&route=&after=%d&from=%d&to=%d", after.UnixMilli(), from.UnixMilli(), to.UnixMilli()))
}

// Purge purges entries.
func (c *Client) Purge(ctx context.Context, q api.PurgeRequest) (api.Purged, error) {
	return post[api.Purged](ctx, c, "/cache/purge", q)
}

// Entry returns the outcome that a request for path would have.
func (c *Client) Entry(ctx context.Context, path string) (api.Entry, error) {
	return get[api.Entry](ctx, c, "/cache/entry?path="+url.QueryEscape(path))
}

// Source returns the sources of answers.
func (c *Client) Source(ctx context.Context) (api.SourceState, error) {
	return get[api.SourceState](ctx, c, "/cache/source")
}

// SetSource changes the sources of answers.
func (c *Client) SetSource(ctx context.Context, q api.SourceRequest) (api.SourceState, error) {
	return post[api.SourceState](ctx, c, "/cache/source", q)
}

// Maintenance returns the state of maintenance mode.
func (c *Client) Maintenance(ctx context.Context) (api.MaintenanceState, error) {
	return get[api.MaintenanceState](ctx, c, "/cache/maintenance")
}

// SetMaintenance turns maintenance mode on or off.
func (c *Client) SetMaintenance(ctx context.Context, q api.MaintenanceRequest) (api.MaintenanceState, error) {
	return post[api.MaintenanceState](ctx, c, "/cache/maintenance", q)
}

// VerifySubjects returns the keys that can be compared.
func (c *Client) VerifySubjects(ctx context.Context) (api.VerifySubjects, error) {
	return get[api.VerifySubjects](ctx, c, "/cache/verify")
}

// Verify compares the answers of both sources to one request.
func (c *Client) Verify(ctx context.Context, q api.VerifyRequest) (api.Comparison, error) {
	return post[api.Comparison](ctx, c, "/cache/verify", q)
}

// Health returns nil if the proxy answers that it is healthy: it serves, and the
// database answers.
func (c *Client) Health(ctx context.Context) error { return c.probe(ctx, "/health", "healthy") }

// Alive returns nil if a proxy answers.
func (c *Client) Alive(ctx context.Context) error { return c.probe(ctx, "/livez", "alive") }

// Ready returns nil if the proxy answers that it serves, whether or not the database
// answers.
func (c *Client) Ready(ctx context.Context) error { return c.probe(ctx, "/readyz", "ready") }

// probe returns nil if a page answers with the status that is wanted.
func (c *Client) probe(ctx context.Context, page, want string) error {
	at := &Client{c.base + page, c.name + page, c.token, c.timeout, c.http} // names the page in errors
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.base, nil)
	if err != nil {
		return at.fail(Failed, err.Error())
	}
	status, body, err := at.send(req)
	if err != nil {
		return err
	}
	var answer struct{ Status string }
	if json.Unmarshal(body, &answer) != nil {
		return at.fail(Failed, fmt.Sprintf("got HTTP %d with an answer that is not JSON", status))
	}
	if status != http.StatusOK || answer.Status != want {
		return at.fail(Failed, fmt.Sprintf("got HTTP %d with status %q", status, answer.Status))
	}
	return nil
}
