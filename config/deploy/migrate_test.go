package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
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
	srv, err := db.Get()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"DATABASE_HOST": "", "DATABASE_SOCKET": srv.Socket, "DATABASE_NAME": mariadb.Database, "DATABASE_USER": mariadb.Reader,
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
	ran := 0
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(steps, -1) {
		for command := range strings.Lines(block[1]) {
			if !strings.HasPrefix(command, "xcri-proxy ") && !strings.HasPrefix(command, "curl ") {
				continue // for root on the real host
			}
			ran++
			cmd := exec.Command("sh", "-c", here.Replace(command))
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "ENV_FILE="+proxy.envFile)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s%v\n%s", command, err, out)
			}
		}
	}
	if ran < 9 {
		t.Errorf("%d commands: the blocks were not found", ran)
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
	p := &process{addr: freeAddr(t), envFile: filepath.Join(t.TempDir(), "env"), log: &lockedBuffer{}}
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
