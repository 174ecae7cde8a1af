// Package neighbours starts the servers that the proxy is compared with.
package neighbours

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
)

// The addresses of the servers.
const (
	BareAddr    = "127.0.0.1:18081"
	NginxAddr   = "127.0.0.1:18082"
	varnishAddr = "127.0.0.1:18083"
	// SendingAddr is the address of the nginx with sendfile.
	SendingAddr = "127.0.0.1:18084"
	// untimedAddr is the address of the bare server without timeouts.
	untimedAddr = "127.0.0.1:18085"
)

// The contenders, in the order of the tables.
const (
	Ours = iota
	Bare
	Untimed
	Nginx
	Sending
	Varnish
	Contenders
)

// Names are the names of the contenders in the tables.
var Names = [Contenders]string{"xcri-proxy", "bare fasthttp", "bare fasthttp, no timeouts", "nginx", "nginx, sendfile", "Varnish"}

// OneCore limits a Go program to one core.
var OneCore = []string{"GOMAXPROCS=1"}

// nginxConfig is the fastest configuration of nginx on one core: one worker, no log,
// and a cache in a file system in memory whose files stay open. Whether sendfile or a
// single read and write is faster depends on the size of the body and on the kernel,
// so both are measured and the faster one counts. Answers are cached for an hour
// regardless of their headers, so that all are hits, with a variant for each
// Accept-Encoding, which the proxy has compressed. accept_mutex and a limit on the
// requests of a connection are off, as they only cost time.
const nginxConfig = `
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile 10000;
pid %[1]s/pid;
error_log %[1]s/error.log crit;
events { worker_connections 4096; use epoll; multi_accept on; accept_mutex off; }
http {
	access_log off;
	server_tokens off;
	gzip off;
	%[4]s
	tcp_nodelay on;
	keepalive_timeout 1h;
	keepalive_requests 1000000000;
	reset_timedout_connection on;
	open_file_cache max=10000 inactive=1h;
	open_file_cache_valid 1h;
	client_body_temp_path %[1]s/body;
	proxy_cache_path %[1]s/cache levels=1:2 keys_zone=answers:16m max_size=1g inactive=1h use_temp_path=off;
	server {
		listen %[2]s backlog=4096;
		location / {
			proxy_pass http://%[3]s;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_buffer_size 8k;
			proxy_cache answers;
			proxy_cache_key $request_uri;
			proxy_cache_lock on;
			proxy_ignore_headers Cache-Control Expires;
			proxy_cache_valid 200 1h;
		}
	}
}
`

// The directives in which the two configurations of nginx differ.
const (
	NginxReads = "sendfile off; output_buffers 1 512k;"
	NginxSends = "sendfile on; sendfile_max_chunk 0; tcp_nopush on;"
)

// StartNginx starts nginx at an address, with its files below dir and with the directives
// NginxReads or NginxSends.
func StartNginx(ctx context.Context, dir, name, addr, how string) (*machine.Service, error) {
	dir, err := os.MkdirTemp(dir, "nginx-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, addr, ask.ProxyAddr, how), 0o600); err != nil {
		return nil, err
	}
	return machine.Launch(ctx, machine.Program{
		Name: name, Addr: addr, Core: machine.ServerCore,
		Args: []string{"nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", config},
	})
}

// varnishConfig caches answers for an hour, so that all are hits: the built-in rules would not
// cache an answer that browsers must revalidate.
const varnishConfig = `vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "18080"; }
sub vcl_backend_response { set beresp.ttl = 1h; set beresp.grace = 1h; return (deliver); }
`

// quiet lists the records that Varnish would log for a hit.
const quiet = "-Begin,-End,-Link,-SessOpen,-SessClose,-ReqStart,-ReqMethod,-ReqURL,-ReqProtocol,-ReqHeader,-ReqUnset,-ReqAcct," +
	"-RespProtocol,-RespStatus,-RespReason,-RespHeader,-RespUnset,-VCL_call,-VCL_return,-VCL_use,-Hit,-Timestamp,-Length,-Gzip"

// StartVarnish starts Varnish in its fastest configuration on one core: storage in
// its own memory, one pool with a thread for each connection, no management
// interface, and its log in a file system in memory, without records for hits.
func StartVarnish(ctx context.Context, dir string) (*machine.Service, error) {
	dir, err := os.MkdirTemp(dir, "varnish-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "default.vcl")
	if err := os.WriteFile(config, []byte(varnishConfig), 0o600); err != nil {
		return nil, err
	}
	return machine.Launch(ctx, machine.Program{
		Name: Names[Varnish], Addr: varnishAddr, Core: machine.ServerCore,
		Args: []string{"varnishd", "-F", "-j", "none", "-n", dir, "-a", varnishAddr, "-f", config, "-s", "malloc,512m", "-T", "none",
			"-p", "thread_pools=1", "-p", "thread_pool_min=100", "-p", "thread_pool_max=1000", "-p", "vsl_mask=" + quiet},
	})
}

// StartBare starts a bare fasthttp server that repeats the proxy's answer to a
// question, with the timeouts of the proxy's server.
func StartBare(ctx context.Context, program string, q ask.Question) (*machine.Service, error) {
	return machine.Launch(ctx, machine.Program{
		Name: Names[Bare], Addr: BareAddr, Core: machine.ServerCore, Env: OneCore,
		Args: append([]string{program, BareAddr, q.URL(ask.ProxyAddr)}, q.Headers...),
	})
}

// StartUntimed starts a bare server without timeouts: the least work that fasthttp
// allows, but clients may keep idle connections forever.
func StartUntimed(ctx context.Context, program string, q ask.Question) (*machine.Service, error) {
	return machine.Launch(ctx, machine.Program{
		Name: Names[Untimed], Addr: untimedAddr, Core: machine.ServerCore, Env: OneCore,
		Args: append([]string{program, "-no-timeouts", untimedAddr, q.URL(ask.ProxyAddr)}, q.Headers...),
	})
}
