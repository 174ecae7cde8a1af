// Package redis runs a fleet's shared level on Redis or Valkey: one server, a server with
// replicas under Sentinel, or a cluster. cmd/xcri-bench/README.md compares valkey-go with rueidis.
package redis

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
)

// prefix begins all names on the server. The number is the format of everything below it.
const prefix = "xcri-proxy:1:"

// Names that no record has. The braces keep the names of the log in one slot of a cluster.
const (
	seriesName  = prefix + "{fleet}:series"
	logName     = prefix + "{fleet}:log"
	lastingName = prefix + "{fleet}:lasting"
	membersName = prefix + "{fleet}:members"
	goneName    = prefix + "{fleet}:gone"
	channel     = prefix + "fleet:"
)

// bufferSize is the size of a connection's buffers, in bytes.
const bufferSize = 32 << 10

// errAway is the error of an operation before the first connection, and after Close.
var errAway = errors.New("not connected to the shared level")

// Options configure an Engine.
type Options struct {
	// URL is redis://, rediss:// or unix://, with a user and a password; see
	// valkey.ParseURL. Several addresses, addr=host:port in the query, name the nodes of a
	// cluster, or with master_set=name the Sentinels. Sentinels take the same user and
	// password, unless the query has sentinel_username or sentinel_password.
	URL string
	// Timeout bounds a connection attempt, and the answers of a server that hangs.
	Timeout time.Duration
	// Logger receives the names of values that are damaged; nil discards them.
	Logger *slog.Logger
}

// Check returns an error unless a URL is well formed. The error does not contain the URL,
// which may hold a password.
func Check(text string) error {
	if _, err := valkey.ParseURL(text); err != nil {
		return errors.New("want redis://, rediss:// or unix://, such as redis://:password@host:6379/0 or unix:///run/redis.sock")
	}
	return nil
}

// Engine is a fleet.Engine on Redis or Valkey. It is safe for concurrent use.
type Engine struct {
	opts  valkey.ClientOption
	moved atomic.Int64
	open  guards
	log   *slog.Logger
	damages

	mu     sync.Mutex
	client valkey.Client // nil before the first connection
	spread []string      // of a cluster: names in slots of all its servers
	closed bool
}

var _ fleet.Engine = (*Engine)(nil)

// New returns an Engine. It does not connect: see Listen.
func New(opts Options) (*Engine, error) {
	if err := Check(opts.URL); err != nil {
		return nil, err
	}
	o, err := valkey.ParseURL(opts.URL)
	if err != nil {
		return nil, err
	}
	o.Dialer.Timeout, o.ConnWriteTimeout = opts.Timeout, opts.Timeout
	o.Dialer.KeepAlive = opts.Timeout // also the interval of the client's pings
	o.DisableCache, o.DisableRetry = true, true
	o.ClientName = "xcri-proxy"
	// A member holds few connections, and large values pass by the buffers.
	o.PipelineMultiplex, o.BlockingPoolSize = 1, 8
	o.ReadBufferEachConn, o.WriteBufferEachConn, o.RingScaleEachConn = bufferSize, bufferSize, 8
	sentinels(&o, opts.URL)
	if o.TLSConfig != nil && (len(o.InitAddress) > 1 || o.Sentinel.MasterSet != "") {
		o.TLSConfig.ServerName = "" // each server has its own
	}
	e := &Engine{log: opts.Logger}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	o.DialCtxFn = guarded(o, &e.moved, &e.open)
	e.opts = o
	return e, nil
}

// sentinels sets the options of the connections to Sentinels. The client asks them for the
// primary at intervals, too: it may miss the message of a failover.
func sentinels(o *valkey.ClientOption, text string) {
	s := &o.Sentinel
	s.Dialer, s.TLSConfig, s.TopologyRefreshInterval = o.Dialer, o.TLSConfig, o.Dialer.Timeout
	s.Username, s.Password = o.Username, o.Password
	if u, err := url.Parse(text); err == nil && (u.Query().Has("sentinel_username") || u.Query().Has("sentinel_password")) {
		s.Username, s.Password = u.Query().Get("sentinel_username"), u.Query().Get("sentinel_password")
	}
}

// connect returns the client, and connects if there is none yet.
func (e *Engine) connect() (valkey.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return nil, errAway
	case e.client != nil:
		return e.client, nil
	}
	client, err := valkey.NewClient(e.opts)
	if err != nil {
		return nil, err
	}
	e.client = client
	if client.Mode() == valkey.ClientModeCluster {
		e.spread = spread(client.B())
	}
	return client, nil
}

// spread returns names in slots at regular distances: commands on them reach each server
// of a cluster that has a considerable part of the slots.
func spread(b valkey.Builder) []string {
	const parts, slots = 32, 16384
	names := make([]string, parts)
	for i, left := 0, parts; left > 0; i++ {
		name := prefix + "{" + strconv.Itoa(i) + "}:ping"
		command := b.Exists().Key(name).Build()
		if part := &names[int(command.Slot())*parts/slots]; *part == "" {
			*part = name
			left--
		}
	}
	return names
}

// now returns the client that connect has made. It returns an error after Close, because
// the client may keep a connection that it was making meanwhile.
func (e *Engine) now() (valkey.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.client == nil || e.closed {
		return nil, errAway
	}
	return e.client, nil
}

// Moved is a method of fleet.Engine. The bytes of a cluster count as none: the traffic of
// one server says nothing about another.
func (e *Engine) Moved() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.spread != nil {
		return 0
	}
	return e.moved.Load()
}

// Owed is a method of fleet.Engine.
func (e *Engine) Owed() time.Duration { return e.open.owed(time.Now()) }

// Close is a method of fleet.Engine.
func (e *Engine) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.client != nil {
		e.client.Close()
	}
	e.closed = true
}

// Listen is a method of fleet.Engine.
func (e *Engine) Listen(ctx context.Context, ready func(), receive func(fleet.Message)) error {
	client, err := e.connect()
	if err != nil {
		return err
	}
	var once sync.Once // the client subscribes again by itself after a short loss
	subscribed := valkey.WithOnSubscriptionHook(ctx, func(s valkey.PubSubSubscription) {
		if s.Kind == "psubscribe" {
			once.Do(ready)
		}
	})
	subscribe := client.B().Psubscribe().Pattern(channel + "*").Build()
	if client.Mode() == valkey.ClientModeCluster {
		subscribe = subscribe.SetSlot(seriesName) // the server that Ping writes to
	}
	err = client.Receive(subscribed, subscribe, func(m valkey.PubSubMessage) {
		if len(m.Channel)+len(m.Message) > engine.MostMessage {
			return
		}
		receive(fleet.Message{Kind: fleet.Kind(strings.TrimPrefix(m.Channel, channel)), Text: strings.TrimPrefix(m.Message, prefix)})
	})
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = net.ErrClosed
	}
	return err
}

// Ping is a method of fleet.Engine. It writes, which a replica refuses, and reaches all
// servers of a cluster.
func (e *Engine) Ping(ctx context.Context) error {
	client, err := e.now()
	if err != nil {
		return err
	}
	_, err = bounded(ctx, func() (none struct{}, err error) {
		err = fault(client.Do(ctx, client.B().Set().Key(prefix+"{fleet}:ping").Value("").Px(time.Second).Build()).Error())
		if err != nil && err != fleet.ErrFull || len(e.spread) == 0 {
			return none, err
		}
		commands := make([]valkey.Completed, len(e.spread))
		for i, name := range e.spread {
			commands[i] = client.B().Exists().Key(name).Build()
		}
		for _, result := range client.DoMulti(ctx, commands...) {
			if err := result.Error(); err != nil {
				return none, err
			}
		}
		return none, nil
	})
	if err == fleet.ErrFull {
		return nil
	}
	return err
}

// bounded runs f, and returns once ctx ends: the client does not watch ctx while another
// goroutine connects.
func bounded[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		r := result{err: errAnswer} // of a panic
		defer func() {
			recover()
			done <- r
		}()
		r.value, r.err = f()
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// fault returns the error of a command: fleet.ErrFull if the server refuses writes because
// its memory is full.
func fault(err error) error {
	if refused(err, "OOM") {
		return fleet.ErrFull
	}
	return err
}

// refused reports whether the server has refused a command with an error of a kind.
func refused(err error, kind string) bool {
	answer, ok := valkey.IsValkeyErr(err)
	return ok && strings.HasPrefix(answer.Error(), kind+" ")
}

// run runs a script and returns its result. It notes the values that the script has removed.
func (e *Engine) run(ctx context.Context, script *valkey.Lua, keys []string, args ...string) (result valkey.ValkeyMessage, err error) {
	client, err := e.now()
	if err != nil {
		return result, err
	}
	answer, err := script.Exec(ctx, client, keys, args).ToArray()
	switch {
	case err != nil:
		return result, fault(err)
	case len(answer) != 2:
		return result, errAnswer
	}
	if removed, err := answer[0].AsStrSlice(); err == nil && len(removed) > 0 {
		e.removed(removed)
	}
	return answer[1], nil
}

// list runs a script whose result is a list of texts, and text a script whose result is a text.
func (e *Engine) list(ctx context.Context, script *valkey.Lua, keys []string, args ...string) ([]string, error) {
	result, err := e.run(ctx, script, keys, args...)
	if err != nil {
		return nil, err
	}
	return result.AsStrSlice()
}

func (e *Engine) text(ctx context.Context, script *valkey.Lua, keys []string, args ...string) (string, error) {
	result, err := e.run(ctx, script, keys, args...)
	if err != nil {
		return "", err
	}
	return result.ToString()
}

// keysOf returns the names of a value and of its lock.
func keysOf(name string) []string { return []string{prefix + name, prefix + name + ":lock"} }

func milliseconds(d time.Duration) string { return strconv.FormatInt(max(1, d.Milliseconds()), 10) }
