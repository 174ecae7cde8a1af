package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/app"
)

// mostMembers limits the proxies: they share one slow database.
const mostMembers = 9

// startsWithin is the time within which a Redis must listen.
const startsWithin = 10 * time.Second

// fleet is the proxies of the demo, and the Redis that they share.
type fleet struct {
	apps  []*app.App
	bases []string // their URLs
	redis *redis   // nil for a single proxy, or if no Redis is installed
}

// newFleet returns the proxies, listening. Members after the first listen on the next
// ports, or on free ports.
func newFleet(db *database, opts options, log *slog.Logger) (*fleet, error) {
	f := &fleet{}
	shared := ""
	if opts.members > 1 {
		var err error
		if f.redis, err = startRedis(); err != nil && !errors.Is(err, errNoRedis) {
			return nil, err
		}
		if f.redis != nil {
			shared = f.redis.url
		}
	}
	listen := opts.listen
	for range opts.members {
		a, base, err := newApp(db, listen, shared, log)
		if err != nil {
			f.close()
			return nil, err
		}
		f.apps, f.bases = append(f.apps, a), append(f.bases, base)
		listen = next(a.Addr(), opts.listen)
	}
	return f, nil
}

// next returns the address of the member after the member on addr: the next port, or a free
// port if the next port is taken or free ports were requested.
func next(addr net.Addr, requested string) string {
	host, port, err := net.SplitHostPort(addr.String())
	n, _ := strconv.Atoi(port)
	if err != nil || strings.HasSuffix(requested, ":0") {
		return requested
	}
	following := net.JoinHostPort(host, strconv.Itoa(n+1))
	ln, err := net.Listen("tcp", following)
	if err != nil {
		return net.JoinHostPort(host, "0")
	}
	ln.Close()
	return following
}

// describe prints the members, and a balancer before them.
func (f *fleet) describe(w io.Writer) {
	if len(f.bases) == 1 {
		return
	}
	fmt.Fprintln(w)
	for i, base := range f.bases {
		fmt.Fprintf(w, "  %-23s %s\n", fmt.Sprintf("member %d", i+1), base)
	}
	if f.redis == nil {
		fmt.Fprintf(w, "\nThe %d members share nothing: neither redis-server nor valkey-server is installed\n(apt-get install redis-server, brew install redis). Each fills its own cache.\n", len(f.bases))
	} else {
		fmt.Fprintf(w, "\nThe %d members share their answers, fills and purges in a Redis on %s.\n", len(f.bases), f.redis.url)
	}
	fmt.Fprint(w, "A balancer before them, for Apache (config/deploy/apache-balancer.conf has the health checks):\n\n")
	fmt.Fprintln(w, "  <Proxy balancer://xcri>")
	for _, base := range f.bases {
		fmt.Fprintf(w, "    BalancerMember %q\n", base)
	}
	fmt.Fprintln(w, "  </Proxy>")
}

// run serves until ctx ends or a member fails.
func (f *fleet) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(f.apps))
	var all sync.WaitGroup
	for i, a := range f.apps {
		all.Go(func() {
			defer stop()
			errs[i] = a.Run(ctx)
		})
	}
	all.Wait()
	f.apps = nil // Run has closed them
	return errors.Join(errs...)
}

// close ends the Redis, and the members that did not run.
func (f *fleet) close() {
	ended, end := context.WithCancel(context.Background())
	end()
	for _, a := range f.apps {
		a.Run(ended)
	}
	if f.redis != nil {
		f.redis.close()
	}
}

// errNoRedis is the error of a machine without a Redis or a Valkey.
var errNoRedis = errors.New("no Redis is installed")

// redis is a Redis that keeps nothing on disk.
type redis struct {
	url  string
	dir  string
	cmd  *exec.Cmd
	done chan struct{}
}

// startRedis runs an installed Redis or Valkey on a socket in a temporary folder.
func startRedis() (*redis, error) {
	program := ""
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		return nil, errNoRedis
	}
	dir, err := os.MkdirTemp("", "xcri-demo-")
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "redis.sock")
	r := &redis{url: "unix://" + socket, dir: dir, done: make(chan struct{})}
	r.cmd = exec.Command(program, "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--save", "", "--appendonly", "no",
		"--maxmemory", "256mb", "--maxmemory-policy", "volatile-lru", "--dir", dir, "--daemonize", "no")
	r.cmd.SysProcAttr = apart
	if err := r.cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() { r.cmd.Wait(); close(r.done) }()
	for deadline := time.Now().Add(startsWithin); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
			return r, nil
		}
		if r.ended() || time.Now().After(deadline) {
			r.close()
			return nil, fmt.Errorf("%s does not start: %w", program, err)
		}
	}
}

func (r *redis) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// close ends the Redis and removes its folder.
func (r *redis) close() {
	r.cmd.Process.Kill()
	<-r.done
	os.RemoveAll(r.dir)
}
