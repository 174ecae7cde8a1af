package deploy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/apache"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/conformance"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/promtext"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// balanced starts an Apache with the shipped files before proxies at addresses.
func balanced(t *testing.T, members ...string) *apache.Server {
	t.Helper()
	snippet, err := filepath.Abs("apache-vhost.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf, line := read(t, "apache-balancer.conf"), ""
	for _, l := range strings.SplitAfter(conf, "\n") {
		if strings.Contains(l, "BalancerMember \"http://10.0.0.11:8000\"") {
			line = l
		}
	}
	second := strings.Replace(line, "10.0.0.11", "10.0.0.12", 1)
	if line == "" || strings.Count(conf, second) != 1 {
		t.Fatal("the members are others")
	}
	var all strings.Builder
	for _, addr := range members {
		all.WriteString(strings.Replace(line, "10.0.0.11:8000", addr, 1))
	}
	conf = strings.Replace(strings.Replace(conf, second, "", 1), line, all.String(), 1)
	down := filepath.Join(t.TempDir(), "down.html")
	if err := os.WriteFile(down, []byte(downPage), 0o644); err != nil {
		t.Fatal(err)
	}
	_, page, _ := strings.Cut(readText(t, "README.md"), "## Two hosts")
	_, lines, _ := strings.Cut(page, "```apache\n")
	lines, _, _ = strings.Cut(lines, "```")
	lines = strings.Replace(lines, "/etc/apache2/xcri-proxy.conf", snippet, 1)
	if lines = strings.Replace(lines, "Include /etc/apache2/xcri-balancer.conf", conf, 1); strings.Count(lines, "/etc/") != 2 { // in comments
		t.Fatalf("the documents have other lines:\n%s", lines)
	}
	return apache.Start(t, fmt.Sprintf("Define XCRI_DOWN %s\n%s", down, lines),
		"proxy", "proxy_http", "slotmem_shm", "proxy_balancer", "proxy_hcheck", "lbmethod_bybusyness", "headers", "env", "alias", "dir", "rewrite")
}

// visited waits until Apache sends requests of visitors to a proxy that has been started again,
// by the metrics at an address of the proxy. After a failed connection Apache leaves a member
// out for a second, although the member is ready.
func visited(t *testing.T, addr string) {
	t.Helper()
	await(t, "Apache uses the proxy again", func() bool {
		requests := 0.0
		for _, s := range promtext.Parse(t, request{target: "/metrics", host: "localhost"}.ask(t, "http://"+addr).body)["xcri_requests_total"].Samples {
			if s.Labels["route"] == "/teams/" {
				requests += s.Value
			}
		}
		return requests > 0
	})
}

// TestBalancer holds that visitors of Apache's balancer get no error while a member is
// killed and comes back, nor during a rolling upgrade of all three members, which share a
// Redis and publish imports together meanwhile.
func TestBalancer(t *testing.T) {
	t.Parallel()
	name, own := scratch.Sample(t)
	with := []string{"LEGACY_URL=" + oldapi.Start(t, oldapi.Options{}).URL(), "SHARED_CACHE=" + redisserver.Start(t).URL, "DATABASE_NAME=" + name, "GENERATION_POLL=100ms"}
	members := []*process{startProxy(t, with...), startProxy(t, with...), startProxy(t, with...)}
	server := balanced(t, members[0].addr, members[1].addr, members[2].addr)
	t.Run("conformance", func(t *testing.T) { conformance.Check(t, server.URL+base) })
	t.Run("as asked directly", func(t *testing.T) { sameAnswers(t, server.URL, members[0].url(), targets) })
	t.Run("hidden", func(t *testing.T) { hidden(t, server.URL, members[0].url()) })
	if a := (request{target: "/xcri-again"}).ask(t, server.URL); a.status != http.StatusNotFound {
		t.Errorf("the address of repeated requests is open: %d", a.status)
	}

	visitors := startLoad(server.URL + base)
	visitors.awaitMore(t, 200)
	for round := range 3 {
		members[round].end(syscall.SIGKILL)
		importVersion(t, own, 1+round)
		visitors.awaitMore(t, 300)
		members[round].run(t)
		visited(t, members[round].addr)
	}
	for i, m := range members { // a rolling upgrade
		m.end(syscall.SIGTERM)
		importVersion(t, own, 4+i)
		visitors.awaitMore(t, 200)
		m.run(t)
		visited(t, m.addr)
	}
	await(t, "all members publish the last import", func() bool {
		for _, m := range members {
			if a := (request{target: base + lists[1]}).ask(t, m.url()); !a.of(6) {
				return false
			}
		}
		return true
	})
	visitors.finish(t)
	for i, m := range members {
		if !strings.Contains(m.log.String(), "stopped") {
			t.Errorf("member %d was not stopped", i)
		}
	}

	for _, m := range members[1:] {
		m.end(syscall.SIGKILL)
	}
	for range 20 {
		if a := (request{target: base + "/teams/?limit=2"}).ask(t, server.URL); a.status != http.StatusOK {
			t.Errorf("with one member left: %d", a.status)
		}
	}
	members[0].end(syscall.SIGKILL)
	if a := (request{target: base + "/teams/?limit=2"}).ask(t, server.URL); a.status != http.StatusServiceUnavailable || !strings.HasPrefix(a.body, "{") {
		t.Errorf("without a member: %d %s", a.status, a.body)
	}
}

// TestBalancerRepeats holds that a GET which a member takes and does not answer is
// answered by another member, as it would be directly, and that a POST is not repeated.
func TestBalancerRepeats(t *testing.T) {
	t.Parallel()
	var taken, posted atomic.Int64
	dying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			return
		}
		if taken.Add(1); r.Method == http.MethodPost {
			posted.Add(1)
		}
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}))
	defer dying.Close()
	proxy := startProxy(t, "LEGACY_URL="+oldapi.Start(t, oldapi.Options{}).URL())
	server := balanced(t, proxy.addr, dying.Listener.Addr().String())
	sameAnswers(t, server.URL, proxy.url(), targets)
	conformance.Check(t, server.URL+base)
	if taken.Load() == 0 {
		t.Error("the dying member got no request")
	}
	taken.Store(0)
	await(t, "the dying member gets a POST", func() bool {
		before := taken.Load()
		a := request{method: http.MethodPost, target: base + "/feedback/", headers: "Content-Type: application/json", body: "{}"}.ask(t, server.URL)
		if taken.Load() == before {
			return false
		}
		if a.status != http.StatusBadGateway || !strings.HasPrefix(a.body, "{") {
			t.Errorf("a POST that was not answered: %d %s", a.status, a.body)
		}
		return true
	})
	if posted.Load() != 1 {
		t.Errorf("a POST was sent %d times", posted.Load())
	}
}

// TestTwoHosts follows the page of the documents: its settings, its Redis and its lines
// for Apache. The site does not notice that one of the hosts is stopped, and a purge on
// a host reaches the other.
func TestTwoHosts(t *testing.T) {
	t.Parallel()
	_, page, _ := strings.Cut(readText(t, "README.md"), "## Two hosts")
	page, _, _ = strings.Cut(page, "\n## ")
	_, block, _ := strings.Cut(page, "```sh\n")
	block, _, _ = strings.Cut(block, "```")
	_, step, _ := strings.Cut(page, "2. In Redis: ")
	step, _, _ = strings.Cut(step, "\n")
	extra, addr := redisserver.OnLoopback(t)
	for _, setting := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(step, -1) {
		name, value, _ := strings.Cut(setting[1], " ")
		if name == "requirepass" {
			value = "password"
		}
		extra = append(extra, "--"+name, strings.Trim(value, `"`))
	}
	redisserver.Start(t, extra...)
	var hosts []*process
	var admins []string
	for range 2 {
		listen, admin := port.Address(t), port.Address(t)
		values := strings.NewReplacer("10.0.0.11:8000", listen, "127.0.0.1:8002", admin, "10.0.0.10:6379", addr, "10.0.0.10", "127.0.0.1")
		var lines []string
		for line := range strings.Lines(strings.TrimSpace(block)) {
			lines = append(lines, strings.TrimSpace(values.Replace(line)))
		}
		if len(lines) != 4 {
			t.Fatalf("the page has %d settings: %q", len(lines), block)
		}
		hosts, admins = append(hosts, startProxyAt(t, listen, lines[1:]...)), append(admins, admin)
	}
	server := balanced(t, hosts[0].addr, hosts[1].addr)
	for _, h := range hosts {
		if out, err := exec.Command(binary, "health", "--env-file", h.envFile).CombinedOutput(); err != nil {
			t.Errorf("health: %v\n%s", err, out)
		}
	}
	visitors := startLoad(server.URL + base)
	visitors.awaitMore(t, 100)
	for i, h := range hosts {
		h.end(syscall.SIGTERM)
		visitors.awaitMore(t, 200)
		h.run(t)
		visited(t, admins[i])
	}
	visitors.finish(t)
	for i, h := range hosts {
		if out, err := exec.Command(binary, "purge", "--all", "--env-file", h.envFile).CombinedOutput(); err != nil {
			t.Errorf("purge on host %d: %v\n%s", i, err, out)
		}
		await(t, "the other host purges, too", func() bool { return strings.Contains(hosts[1-i].log.String(), "action of another member done") })
	}
}
