package deploy

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

var update = flag.Bool("update", false, "write xcri-proxy.env.example anew")

// maxExposure is the maximum exposure of the system unit by systemd-analyze, of 10.
const maxExposure = 1.5

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// value returns the last value of a directive in a unit.
func value(t testing.TB, unit, directive string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^`+directive+`=(.+)$`).FindAllStringSubmatch(unit, -1)
	if len(found) == 0 {
		t.Fatalf("no %s", directive)
	}
	return found[len(found)-1][1]
}

// defaults returns the default configuration.
func defaults(t testing.TB) config.Config {
	t.Helper()
	cfg, err := config.Load(nil, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestUnitsFitTheDefaults holds that the values in the units match the default
// settings.
func TestUnitsFitTheDefaults(t *testing.T) {
	cfg := defaults(t)
	for _, dir := range []string{"", "user"} {
		service, socket := read(t, filepath.Join(dir, "xcri-proxy.service")), read(t, filepath.Join(dir, "xcri-proxy.socket"))
		if addr := value(t, socket, "ListenStream"); addr != cfg.ListenAddr {
			t.Errorf("%s: the socket is at %s, LISTEN_ADDR at %s", dir, addr, cfg.ListenAddr)
		}
		seconds, err := strconv.Atoi(value(t, service, "TimeoutStopSec"))
		if err != nil || time.Duration(seconds)*time.Second < cfg.ShutdownTimeout+10*time.Second {
			t.Errorf("%s: TimeoutStopSec %d is too short for SHUTDOWN_TIMEOUT %v, %v", dir, seconds, cfg.ShutdownTimeout, err)
		}
		most, err := humanize.ParseBytes(value(t, service, "MemoryMax") + "iB")
		if err != nil || int64(most) < cfg.MemoryLimit*3/2 {
			t.Errorf("%s: MemoryMax %d is too little for MEMORY_LIMIT %d, %v", dir, most, cfg.MemoryLimit, err)
		}
		for _, setting := range regexp.MustCompile(`([A-Z_]+)=[%/]`).FindAllStringSubmatch(service, -1) {
			if !slices.ContainsFunc(config.Keys(), func(k config.Key) bool { return k.Name == setting[1] }) {
				t.Errorf("%s: %s is no setting", dir, setting[1])
			}
		}
	}
}

// TestAdminSocket holds that the unit's name for the admin socket is the name that the
// proxy expects, and that the unit mentions the required setting.
func TestAdminSocket(t *testing.T) {
	unit := read(t, "xcri-proxy-admin.socket")
	path := value(t, unit, "ListenStream")
	if name := value(t, unit, "FileDescriptorName"); name != "admin" {
		t.Errorf("the socket is named %s", name)
	}
	if !strings.Contains(unit, "ADMIN_ADDR=unix:"+path+".") {
		t.Errorf("the unit does not say ADMIN_ADDR=unix:%s", path)
	}
	if _, err := config.Load(map[string]string{"ADMIN_ADDR": "unix:" + path}, func(string) (string, bool) { return "", false }); err != nil {
		t.Error(err)
	}
	if mode := value(t, unit, "SocketMode"); mode != defaults(t).Admin.SocketMode.String() {
		t.Errorf("mode %s", mode)
	}
}

// TestUnits verifies the units with systemd, with the path of the test's binary.
func TestUnits(t *testing.T) {
	need.Program(t, "systemd-analyze", "systemd")
	for _, dir := range []string{"", "user"} {
		here := t.TempDir()
		service := read(t, filepath.Join(dir, "xcri-proxy.service"))
		service = regexp.MustCompile(`(?m)^ExecStart=\S+`).ReplaceAllString(service, "ExecStart="+binary)
		paths := []string{filepath.Join(here, "xcri-proxy.service"), filepath.Join(here, "xcri-proxy.socket")}
		for i, text := range []string{service, read(t, filepath.Join(dir, "xcri-proxy.socket"))} {
			if err := os.WriteFile(paths[i], []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if dir == "" {
			paths = append(paths, filepath.Join(here, "xcri-proxy-admin.socket"))
			if err := os.WriteFile(paths[2], []byte(read(t, "xcri-proxy-admin.socket")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		mode := "--system"
		if dir == "user" {
			mode = "--user"
		}
		analyze := func(args ...string) string {
			cmd := exec.Command("systemd-analyze", append([]string{mode}, args...)...)
			cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+here, "SYSTEMD_COLORS=0")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v: %v\n%s", dir, args, err, out)
			}
			return string(out)
		}
		if out := analyze(append([]string{"verify"}, paths...)...); strings.Contains(out, here) {
			t.Errorf("%s: %s", dir, out)
		}
		if dir == "user" {
			continue
		}
		found := regexp.MustCompile(`exposure level for .*: ([0-9.]+)`).FindStringSubmatch(analyze("security", "--offline=true", paths[0]))
		if found == nil {
			t.Fatal("no exposure level")
		}
		if level, err := strconv.ParseFloat(found[1], 64); err != nil || level > maxExposure {
			t.Errorf("exposure level %s, want at most %v", found[1], maxExposure)
		}
	}
}

// exampleOf returns the expected xcri-proxy.env.example.
func exampleOf(keys []config.Key) string {
	var b strings.Builder
	b.WriteString("# Settings of xcri-proxy, with their defaults. Take the # off a line to change one;\n" +
		"# \"xcri-proxy config --env-file THIS FILE\" checks them. If it holds a password,\n" +
		"# make the file readable for the service's account only: chmod 600.\n")
	group := ""
	for _, k := range keys {
		if k.Name == "ENV_FILE" {
			continue // the key names this file
		}
		if k.Group != group {
			group = k.Group
			b.WriteString("\n\n# ---- " + group + "\n")
		}
		b.WriteString("\n# " + k.Usage + "\n#" + k.Name + "=" + k.Default + "\n")
	}
	return b.String()
}

// TestExample holds that the example lists every setting with its default, and that
// the proxy accepts it unchanged and with every line uncommented.
func TestExample(t *testing.T) {
	const name = "xcri-proxy.env.example"
	text, want := read(t, name), exampleOf(config.Keys())
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		text = want
	}
	lines, wanted := strings.Split(text, "\n"), strings.Split(want, "\n")
	for i, line := range wanted {
		if i >= len(lines) || lines[i] != line {
			t.Errorf("line %d of %s should be %q; go test ./config/deploy -run TestExample -update writes the file anew", i+1, name, line)
			break
		}
	}
	if len(lines) > len(wanted) {
		t.Errorf("%s has %d lines, not %d; go test ./config/deploy -run TestExample -update writes the file anew", name, len(lines), len(wanted))
	}
	inForce := regexp.MustCompile(`(?m)^#([A-Z])`).ReplaceAllString(text, "$1")
	for _, text := range []string{text, inForce} {
		path := filepath.Join(t.TempDir(), "env")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(binary, "config", "--env-file", path)
		cmd.Env = []string{}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		cfg, err := config.Load(map[string]string{"ENV_FILE": path}, func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		if got, want := settled(cfg), settled(defaults(t)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// settled prints the values without their sources.
func settled(cfg config.Config) string {
	cfg.EnvFile = ""
	return regexp.MustCompile(`(?m) +#.*$`).ReplaceAllString(cfg.String(), "")
}
