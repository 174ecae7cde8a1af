package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/generation"
)

// aliveRequest passes through the connection loop, the handler, and the locks of the
// generations and of the cache.
const aliveRequest = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

// Alive returns nil if the proxy answers a probe before ctx ends. The probe takes the
// way of a client's request from the accept on, over a connection in memory, so that a
// flood of connections does not delay it. Any answer counts: a proxy without a warm set
// is alive.
func (p *Proxy) Alive(ctx context.Context) error {
	client, server := net.Pipe()
	defer client.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := client.SetDeadline(deadline); err != nil {
			return err
		}
	}
	defer context.AfterFunc(ctx, func() { client.Close() })()
	go p.server.ServeConn(server)
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

// Warming returns the progress of the warm set.
func (p *Proxy) Warming() generation.Status { return p.generations.Status() }

// DownSince returns the time since when the database has been down; the zero time if
// it answers.
func (p *Proxy) DownSince() time.Time {
	began, err := p.outage.Since()
	if err == nil {
		return time.Time{}
	}
	return began
}
