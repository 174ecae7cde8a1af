package wire

import (
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/wire/socket"
)

// watchEvery is the interval at which a watched connection is checked.
const watchEvery = 250 * time.Millisecond

// Watch calls gone once the client of a request has closed its connection, as far as the
// system reports that, until stop is called. A client that has only closed its own
// direction counts as gone, too; few do. The check reads nothing from the connection.
// Watch is meant for requests that wait long: the first check comes after 250 ms.
func Watch(ctx *fasthttp.RequestCtx, gone func()) (stop func()) {
	c, ok := ctx.Conn().(*Conn)
	if !ok {
		return func() {}
	}
	conn := c.Conn
	var mu sync.Mutex
	var timer *time.Timer
	stopped := false
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(watchEvery, func() {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case stopped:
		case socket.HungUp(conn):
			gone()
		default:
			timer.Reset(watchEvery)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}
