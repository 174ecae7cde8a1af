// Package deploy contains the files to run the proxy with Apache and systemd, and
// tests of the files as shipped.
package deploy

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// binary is the proxy, built by TestMain.
var binary string

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "xcri-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "xcri-proxy")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/xcri-proxy").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return scratch.Main(m)
}

// await polls until the condition holds.
func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// settings returns an env file for a proxy of the test database.
func settings(t testing.TB, addr string, more ...string) string {
	t.Helper()
	lines := append([]string{
		"LISTEN_ADDR=" + addr, "DATABASE_SOCKET=" + scratch.Server(t).Socket, "DATABASE_NAME=" + mariadb.Database,
		"DATABASE_USER=" + mariadb.Reader, "DATABASE_PASSWORD='" + mariadb.Password + "'", "TRUSTED_PROXIES=127.0.0.1",
	}, more...)
	return strings.Join(lines, "\n") + "\n"
}

// process is a proxy in its own process.
type process struct {
	addr    string
	envFile string
	cmd     *exec.Cmd
	log     *proxytest.Log
}

// startProxy runs the proxy on a free port until the test ends.
func startProxy(t testing.TB, more ...string) *process {
	t.Helper()
	return startProxyAt(t, port.Address(t), more...)
}

// startProxyAt runs the proxy at an address, which may be a Unix socket.
func startProxyAt(t testing.TB, addr string, more ...string) *process {
	t.Helper()
	p := &process{addr: addr, envFile: filepath.Join(t.TempDir(), "env"), log: &proxytest.Log{}}
	if err := os.WriteFile(p.envFile, []byte(settings(t, p.addr, more...)), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run(t)
	t.Cleanup(func() {
		p.end(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("the proxy's log:\n%s", p.log)
		}
	})
	return p
}

func (p *process) run(t testing.TB) {
	t.Helper()
	p.cmd = exec.Command(binary, "serve", "--env-file", p.envFile)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the proxy is ready", func() bool {
		answer, err := request{target: "/readyz"}.send("http://" + p.addr)
		return err == nil && answer.status == http.StatusOK
	})
}

func (p *process) end(sig os.Signal) {
	p.cmd.Process.Signal(sig)
	p.cmd.Wait()
}

func (p *process) url() string { return "http://" + p.addr }

// request is sent unchanged: its target is not normalized or encoded again.
type request struct {
	method, target string // GET if empty
	headers        string // lines "Name: value"
	body           string
	from           string // source address; empty means any
	host           string // rankings.example if empty
}

type answer struct {
	status int
	header http.Header
	body   string
	length int64 // Content-Length
}

// send sends a request to a server on a new connection.
func (r request) send(base string) (*answer, error) {
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	host := cmp.Or(r.host, "rankings.example")
	dialer := net.Dialer{Timeout: 5 * time.Second}
	if r.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(r.from)}
	}
	network, addr := "tcp", strings.TrimPrefix(base, "http://")
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr, dialer.LocalAddr = "unix", path, nil
	}
	conn, err := dialer.Dial(network, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	text := method + " " + r.target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n"
	for line := range strings.Lines(r.headers) {
		text += strings.TrimSpace(line) + "\r\n"
	}
	if r.body != "" {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(r.body))
	}
	if _, err := io.WriteString(conn, text+"\r\n"+r.body); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	for err == nil && resp.StatusCode == http.StatusContinue {
		resp, err = http.ReadResponse(in, &http.Request{Method: method})
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return &answer{resp.StatusCode, resp.Header, string(body), resp.ContentLength}, err
}

// ask is like send, but a failure ends the test.
func (r request) ask(t testing.TB, base string) *answer {
	t.Helper()
	a, err := r.send(base)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, r.target, err)
	}
	return a
}
