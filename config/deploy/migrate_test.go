package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// migration returns the section of README.md with the five steps.
func migration(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, steps, found := strings.Cut(string(text), "\n## Migrate in five steps\n")
	steps, _, ends := strings.Cut(steps, "\n## ")
	if !found || !ends {
		t.Fatal("README.md has no section about the five steps")
	}
	return steps
}

// TestMigrationSteps runs the five steps of README.md: a proxy with only the settings
// of step 1, the commands of the steps, and the shipped Apache configuration in front.
// Visitors then get the site and the API.
func TestMigrationSteps(t *testing.T) {
	need.Program(t, "curl", "curl")
	steps := migration(t)
	site, logFile := t.TempDir(), filepath.Join(t.TempDir(), "access.log")
	const app = "<!doctype html><title>the app</title>"
	line := `192.0.2.7 - - [27/Oct/2025:03:14:07 -0500] "GET ` + base + `/metadata/latest HTTP/1.1" 200 51 "-" "-"` + "\n"
	for file, text := range map[string]string{filepath.Join(site, "index.html"): app, logFile: line} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old := startProxy(t, "LEGACY_URL=") // a second proxy gives the old API's answers
	values := map[string]string{
		"DATABASE_HOST": "", "DATABASE_SOCKET": scratch.Server(t).Socket, "DATABASE_NAME": mariadb.Database, "DATABASE_USER": mariadb.Reader,
		"DATABASE_PASSWORD": "'" + mariadb.Password + "'", "STATIC_DIR": site, "LEGACY_URL": old.url(),
	}
	proxy := startProxyWith(t, settingsOf(t, steps, values))

	bin := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(bin, "xcri-proxy")); err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("/etc/xcri-proxy.env", proxy.envFile, "/var/log/apache2/access.log", logFile,
		"127.0.0.1:8000", proxy.addr, "/var/www/xcri-proxy", bin,
		// No test depends on the speed of the machine.
		"xcri-proxy preflight", "xcri-proxy preflight --max-p95 1m --requests 200 --verify 10")
	machine := t.TempDir()
	release(t, machine)
	ran := 0
	for _, command := range commandsOf(steps) {
		first := strings.Fields(command)[0]
		switch {
		case slices.Contains(forRoot, first):
			continue
		case first != "xcri-proxy" && first != "curl":
			installInto(t, machine, command)
			continue
		}
		ran++
		if out, status := shell(t, bin, proxy.envFile, here.Replace(command)); status != 0 {
			t.Errorf("%s: status %d\n%s", command, status, out)
		}
	}
	if ran < 9 {
		t.Errorf("%d commands: the blocks were not found", ran)
	}
	for path, mode := range map[string]os.FileMode{
		"usr/local/bin/xcri-proxy": 0o755, "etc/xcri-proxy.env": 0o600, "etc/systemd/system/xcri-proxy.service": 0o644,
		"etc/systemd/system/xcri-proxy.socket": 0o644, "etc/apache2/xcri-proxy.conf": 0o644, "var/www/xcri-proxy": os.ModeDir | 0o755,
	} {
		if info, err := os.Stat(filepath.Join(machine, path)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v", path, err)
		}
	}
	server := vhost(t, proxy.addr)
	for target, want := range map[string]string{"/iz/xcri/": app, "/iz/xcri/teams": app, base + "/metadata/latest/date": `{"`, "/": "WordPress"} {
		if a := (request{target: target}).ask(t, server.URL); a.status != 200 || !strings.HasPrefix(a.body, want) {
			t.Errorf("%s: %d %.100q, want %q", target, a.status, a.body, want)
		}
	}
}

// settingsOf returns an env file with the settings in the first table of the steps.
func settingsOf(t *testing.T, steps string, values map[string]string) (lines []string) {
	t.Helper()
	_, table, _ := strings.Cut(steps, "| key | value |")
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table) {
		keys, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
		for _, key := range regexp.MustCompile("`([A-Z_]+)`").FindAllStringSubmatch(keys, -1) {
			value, known := values[key[1]]
			if !known {
				t.Errorf("the test has no value for %s", key[1])
			}
			if value != "" {
				lines = append(lines, key[1]+"="+value)
			}
		}
	}
	return lines
}

// startProxyWith runs the proxy with an env file of these lines, on a free address.
func startProxyWith(t *testing.T, lines []string) *process {
	t.Helper()
	p := &process{addr: port.Address(t), envFile: filepath.Join(t.TempDir(), "env"), log: &proxytest.Log{}}
	text := strings.Join(append(lines, "LISTEN_ADDR="+p.addr), "\n") + "\n"
	if err := os.WriteFile(p.envFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run(t)
	t.Cleanup(func() {
		p.end(os.Interrupt)
		if t.Failed() {
			t.Logf("the proxy's log:\n%s", p.log)
		}
	})
	return p
}

// release puts the files that a host gets into the folder release of a machine.
func release(t *testing.T, machine string) {
	t.Helper()
	dir := filepath.Join(machine, "release")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"xcri-proxy.env.example", "xcri-proxy.service", "xcri-proxy.socket", "apache-vhost.conf"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(read(t, name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(binary, filepath.Join(dir, "xcri-proxy")); err != nil {
		t.Fatal(err)
	}
}
