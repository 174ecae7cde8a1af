package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/reply"
)

// Probe answers the two probes of a supervisor. It returns false for other paths. A proxy
// that answers is alive.
func (h *Health) Probe(ctx *fasthttp.RequestCtx, path []byte) bool {
	switch {
	case !IsProbe(path):
		return false
	case ctx.IsOptions():
		reply.Allow(ctx)
	case string(path) == "/livez":
		reply.Send(ctx, fasthttp.StatusOK, []byte(`{"status":"alive"}`))
	case h.opts.Ready():
		reply.Send(ctx, fasthttp.StatusOK, []byte(`{"status":"ready"}`))
	default:
		ctx.Response.Header.Set("Retry-After", "1")
		reply.Send(ctx, fasthttp.StatusServiceUnavailable, []byte(`{"status":"not ready"}`))
	}
	return true
}

// IsProbe reports whether path is the path of a probe.
func IsProbe(path []byte) bool { return string(path) == "/livez" || string(path) == "/readyz" }

// aliveRequest passes through the connection loop, the handler, and the locks of the
// generations and of the cache.
const aliveRequest = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

// Alive returns nil if a server answers a probe before ctx ends. The probe takes the way
// of a client's request from the accept on, over a connection in memory, so that a flood
// of connections does not delay it. Any answer counts: a proxy without a warm set is alive.
func Alive(ctx context.Context, serve func(net.Conn)) error {
	client, server := net.Pipe()
	defer client.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := client.SetDeadline(deadline); err != nil {
			return err
		}
	}
	defer context.AfterFunc(ctx, func() { client.Close() })()
	go serve(server)
	if _, err := io.WriteString(client, aliveRequest); err != nil {
		return fmt.Errorf("the probe was not read: %w", err)
	}
	line, err := bufio.NewReader(client).ReadString('\n')
	if err != nil {
		return fmt.Errorf("no answer to the probe: %w", err)
	}
	if len(line) < len("HTTP/1.1 200") || line[:len("HTTP/1.1 ")] != "HTTP/1.1 " {
		return errors.New("the answer to the probe is not HTTP")
	}
	return nil
}
