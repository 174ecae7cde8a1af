package survey

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
)

// generous are limits that a slow machine keeps.
var generous = Limits{time.Minute, time.Minute}

// fails surveys a level that can't be used.
func fails(t *testing.T, url, reason, remedy string) {
	t.Helper()
	failsWithin(t, url, generous, reason, remedy)
}

func failsWithin(t *testing.T, url string, limits Limits, reason, remedy string) {
	t.Helper()
	level, err := Of(t.Context(), url, limits)
	var why *Fault
	if !errors.As(err, &why) {
		t.Errorf("%s: %+v, %v", url, level, err)
		return
	}
	if !strings.Contains(why.Reason, reason) || !strings.Contains(why.Remedy, remedy) || why.Error() != why.Reason {
		t.Errorf("%s: %q, remedy %q, want %q and %q", url, why.Reason, why.Remedy, reason, remedy)
	}
	if strings.Contains(why.Reason+why.Remedy, "secret") || strings.Contains(why.Reason+why.Remedy, "\n") {
		t.Errorf("%q, %q", why.Reason, why.Remedy)
	}
}

// well surveys a level that can be used.
func well(t *testing.T, url string) Level {
	t.Helper()
	level, err := Of(t.Context(), url, generous)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	if len(level.Servers) == 0 || level.Took <= 0 {
		t.Errorf("%+v", level)
	}
	for _, s := range level.Servers {
		if !strings.HasPrefix(s.Version, "Redis ") || s.Used == 0 || s.Addr == "" || s.Policy == "" {
			t.Errorf("%+v", s)
		}
	}
	return level
}

// TestServer: the survey of a server that can be used has its version, memory and policy, and
// leaves nothing behind.
func TestServer(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t, "--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru")
	level := well(t, s.URL)
	if one := level.Servers[0]; one.Limit != 64<<20 || one.Policy != "volatile-lru" || level.Full {
		t.Errorf("%+v", level)
	}
	if left := s.Do("KEYS", "*survey*"); left != "" {
		t.Errorf("left behind: %s", left)
	}
	s.Do("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
	if level := well(t, s.URL); !level.Full || level.Servers[0].Policy != "noeviction" {
		t.Errorf("%+v", level)
	}
}

// TestAccount: a missing and a wrong password, and an account without the right to run
// scripts, are named.
func TestAccount(t *testing.T) {
	t.Parallel()
	args, addr := redisserver.OnLoopback(t)
	s := redisserver.Start(t, args...)
	s.Do("ACL", "SETUSER", "reader", "on", ">secret", "~*", "&*", "+@read", "+@connection", "+@pubsub", "+set")
	s.Do("CONFIG", "SET", "requirepass", "secret")
	well(t, "redis://:secret@"+addr)
	fails(t, "redis://"+addr, addr+" wants a password", "redis://:password@host")
	fails(t, "redis://:secret2@"+addr, "refuses the account: WRONGPASS", "check the user and the password")
	fails(t, "redis://nobody:secret@"+addr, "refuses the account: WRONGPASS", "check the user")
	fails(t, "redis://reader:secret@"+addr, "no permissions to run the 'evalsha' command", "check SHARED_CACHE")
	fails(t, "redis://:secret@"+addr+"/99", "DB index is out of range", "check SHARED_CACHE")
}

// certificate writes a self-signed certificate of the loopback address.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: public}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestEndlessAnswer: a server whose answer does not end is no Redis, and fills no memory.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	sent := make(chan int)
	go func() {
		defer close(sent)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		all, part := 0, []byte("+"+strings.Repeat("x", 64<<10))
		for err == nil && all < 1<<30 {
			var n int
			n, err = conn.Write(part)
			all += n
		}
		sent <- all
	}()
	p := place{network: "tcp", most: time.Minute}
	if p.isRedis(t.Context(), ln.Addr().String(), nil) {
		t.Error("it is taken for a Redis")
	}
	if n := <-sent; n >= 1<<30 {
		t.Error("the whole answer was read")
	}
}

// TestTLS: TLS to a server without it, no TLS to a server that speaks nothing else, and an
// unknown authority of the certificate are distinguished.
func TestTLS(t *testing.T) {
	t.Parallel()
	args, plain := redisserver.OnLoopback(t)
	redisserver.Start(t, args...)
	// The server may wait for the end of a command.
	failsWithin(t, "rediss://"+plain, Limits{time.Millisecond, time.Minute}, plain+" speaks no TLS", "redis:// instead of rediss://")
	cert, key := certificate(t)
	args, secure := redisserver.OnLoopback(t)
	args[0] = "--tls-port"
	redisserver.Start(t, append(args, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")...)
	fails(t, "redis://"+secure, secure+" speaks TLS only", "rediss:// instead of redis://")
	fails(t, "rediss://"+secure, "x509: certificate signed by unknown authority", "check the certificate")
	well(t, "rediss://"+secure+"?skip_verify=1")
}

// TestSentinels: the survey names a wrong name of the primary and the right name, a Sentinel
// that is taken for a server, a server that is taken for a Sentinel, and a replica.
func TestSentinels(t *testing.T) {
	t.Parallel()
	w := redisserver.StartWatched(t)
	if level := well(t, w.URL); len(level.Servers) != 1 || level.Servers[0].Addr != w.Primary.Addr {
		t.Errorf("%+v, want the primary", level)
	}
	fails(t, strings.ReplaceAll(w.URL, "=main", "=other"), `watches no primary named "other"; it watches main`, "check master_set")
	fails(t, "redis://"+w.Sentinel.Addr, "is a Sentinel, which holds no values; it watches main", "?master_set=NAME")
	fails(t, "redis://"+w.Primary.Addr+"?master_set=main", w.Primary.Addr+" is no Sentinel", "leave out master_set")
	fails(t, "redis://"+w.Replica.Addr, "READONLY", "check SHARED_CACHE")
	w.Primary.Do("CONFIG", "SET", "requirepass", "secret")
	fails(t, w.URL, "the primary that the Sentinel names: "+w.Primary.Addr+" wants a password", "redis://:password@host")
}

// TestCluster: several addresses of servers that are no cluster are named.
func TestCluster(t *testing.T) {
	t.Parallel()
	args, addr := redisserver.OnLoopback(t)
	redisserver.Start(t, args...)
	fails(t, "redis://"+addr+"?addr="+addr, addr+" is no node of a cluster, and SHARED_CACHE has 2 addresses", "name one server")
	if level := well(t, redisserver.StartCluster(t).URL); len(level.Servers) < 3 {
		t.Errorf("%+v", level)
	}
}

// TestNoRedis: nothing that listens, another program, and a server that never answers are
// reported within the limits.
func TestNoRedis(t *testing.T) {
	t.Parallel()
	_, nowhere := redisserver.OnLoopback(t)
	fails(t, "redis://"+nowhere, "no server: ", "check the address")
	fails(t, "unix:///nowhere/at/all.sock", "no server: ", "check the address")
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	fails(t, "redis://"+web.Listener.Addr().String(), "no answer of a Redis", "check the address")
	silent, err := net.Listen("tcp", "127.0.0.1:0") // its connections wait in the queue
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	failsWithin(t, "redis://"+silent.Addr().String(), Limits{time.Millisecond, time.Millisecond}, "", "check")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Of(ended, "redis://"+silent.Addr().String(), generous); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
