package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// The addresses of the servers.
const (
	proxyAddr   = "127.0.0.1:18080"
	bareAddr    = "127.0.0.1:18081"
	nginxAddr   = "127.0.0.1:18082"
	varnishAddr = "127.0.0.1:18083"
	// sendingAddr is the address of the nginx with sendfile.
	sendingAddr = "127.0.0.1:18084"
	// untimedAddr is the address of the bare server without timeouts.
	untimedAddr = "127.0.0.1:18085"
)

// The contenders, in the order of the tables.
const (
	ours = iota
	bare
	untimed
	nginx
	sending
	varnish
	contenders
)

var names = [contenders]string{"xcri-proxy", "bare fasthttp", "bare fasthttp, no timeouts", "nginx", "nginx, sendfile", "Varnish"}

// oneCore limits a Go program to one core.
var oneCore = []string{"GOMAXPROCS=1"}

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

// The difference between the two configurations.
const (
	nginxReads = "sendfile off; output_buffers 1 512k;"
	nginxSends = "sendfile on; sendfile_max_chunk 0; tcp_nopush on;"
)

func startNginx(ctx context.Context, dir, name, addr, how string) (*service, error) {
	dir, err := os.MkdirTemp(dir, "nginx-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, addr, proxyAddr, how), 0o600); err != nil {
		return nil, err
	}
	return launch(ctx, name, addr, serverCore, nil, "nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", config)
}

// varnishConfig caches answers for an hour, so that all are hits.
const varnishConfig = `vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "18080"; }
sub vcl_backend_response { set beresp.ttl = 1h; set beresp.grace = 1h; }
`

// quiet lists the records that Varnish would log for a hit.
const quiet = "-Begin,-End,-Link,-SessOpen,-SessClose,-ReqStart,-ReqMethod,-ReqURL,-ReqProtocol,-ReqHeader,-ReqUnset,-ReqAcct," +
	"-RespProtocol,-RespStatus,-RespReason,-RespHeader,-RespUnset,-VCL_call,-VCL_return,-VCL_use,-Hit,-Timestamp,-Length,-Gzip"

// startVarnish starts Varnish in its fastest configuration on one core: storage in
// its own memory, one pool with a thread for each connection, no management
// interface, and its log in a file system in memory, without records for hits.
func startVarnish(ctx context.Context, dir string) (*service, error) {
	dir, err := os.MkdirTemp(dir, "varnish-")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "default.vcl")
	if err := os.WriteFile(config, []byte(varnishConfig), 0o600); err != nil {
		return nil, err
	}
	return launch(ctx, names[varnish], varnishAddr, serverCore, nil, "varnishd", "-F", "-j", "none", "-n", dir,
		"-a", varnishAddr, "-f", config, "-s", "malloc,512m", "-T", "none",
		"-p", "thread_pools=1", "-p", "thread_pool_min=100", "-p", "thread_pool_max=1000", "-p", "vsl_mask="+quiet)
}

// startBare starts a bare fasthttp server that repeats the proxy's answer to a
// question, with the timeouts of the proxy's server.
func (l *lab) startBare(ctx context.Context, q question) (*service, error) {
	return launch(ctx, names[bare], bareAddr, serverCore, oneCore,
		append([]string{l.bare, bareAddr, q.url(proxyAddr)}, q.headers...)...)
}

// startUntimed starts a bare server without timeouts: the least work that fasthttp
// allows, but clients may keep idle connections forever.
func (l *lab) startUntimed(ctx context.Context, q question) (*service, error) {
	return launch(ctx, names[untimed], untimedAddr, serverCore, oneCore,
		append([]string{l.bare, "-no-timeouts", untimedAddr, q.url(proxyAddr)}, q.headers...)...)
}
