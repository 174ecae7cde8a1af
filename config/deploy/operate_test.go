package deploy

import (
	"compress/gzip"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// shellBlock is a block of commands in a document.
var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")

// comment is the comment after a command.
var comment = regexp.MustCompile(`(?m)(^|\s)#.*$`)

// commandsOf returns the commands of a document's blocks, without comments.
func commandsOf(text string) (commands []string) {
	for _, block := range shellBlock.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			if line = strings.TrimSpace(comment.ReplaceAllString(line, "")); line != "" {
				commands = append(commands, line)
			}
		}
	}
	return commands
}

// shell runs a command in a folder, with the program of that name, and returns its
// output and exit status.
func shell(t *testing.T, dir, envFile, command string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "ENV_FILE="+envFile)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatalf("%s: %v", command, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// quick are the parts of the commands of the operator's page that a test shortens: no
// test waits for minutes, loads a machine, or depends on its speed.
var quick = strings.NewReplacer(
	"top --plain --interval 10s", "top --once --interval 100ms", "top --interval 5s", "top --once --interval 100ms", "top --once", "top --once --interval 100ms",
	"2025-10-27 --timeout 2h", "2025-10-20 --timeout 1m",
	"verify --from-log", "verify --limit 10 --from-log", "--top 2000 --rate 5", "--top 10 --rate 100", "verify --file", "verify --rate 100 --file",
	"preflight --max-p95 50ms --requests 10000 --verify 200", "preflight --max-p95 1m --requests 100 --verify 5",
	"preflight --env-file", "preflight --max-p95 1m --requests 100 --verify 5 --env-file",
	"--requests 720000 --connections 200 --warm-up 100000", "--requests 2000 --connections 20 --warm-up 100",
	"--duration 1m", "--duration 200ms", "--max-p99 200ms", "--max-p99 1m",
)

// otherStatus are the exit statuses, other than 0, that a command of the page may have
// here: nothing is new, and the history has just begun.
var otherStatus = map[string]int{"xcri-proxy warm": 3, "xcri-proxy report --since 1h --max-errors 1 --check": 1}

// TestOperatorsPage runs each command of proxy/admin/README.md, in its order, on a proxy
// with the old API beside it.
func TestOperatorsPage(t *testing.T) {
	old := startProxy(t, "LEGACY_URL=") // a second proxy gives the old API's answers
	proxy := startProxy(t, "LEGACY_URL="+old.url(), "STATE_FILE="+filepath.Join(t.TempDir(), "state"))
	dir := t.TempDir()
	line := `192.0.2.7 - - [27/Oct/2025:03:14:07 -0500] "GET ` + base + `/metadata/latest HTTP/1.1" 200 51 "-" "-"` + "\n"
	for name, text := range map[string]string{"access.log": line, "requests.txt": "# a target a line\n/metadata/latest\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	zipped, err := os.Create(filepath.Join(dir, "access.log.1.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(zipped)
	z.Write([]byte(line))
	if err := errors.Join(z.Close(), zipped.Close(), os.Symlink(binary, filepath.Join(dir, "xcri-proxy"))); err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("/etc/xcri-proxy.env", proxy.envFile, "127.0.0.1:8000", proxy.addr)
	seen := map[string]bool{}
	for _, command := range commandsOf(filesWith(t, "README.md")[filepath.Join(root, "proxy/admin/README.md")]) {
		words := strings.Fields(command)
		if words[0] != "xcri-proxy" {
			t.Errorf("%s: this test runs commands of xcri-proxy only", command)
			continue
		}
		seen[words[1]] = true
		short := here.Replace(quick.Replace(command))
		switch {
		case words[1] == "tail": // it ends with an interrupt
			short = "timeout -s INT 1 " + short
			if out, status := shell(t, dir, proxy.envFile, short); status != 0 && status != 124 {
				t.Errorf("%s: status %d\n%s", command, status, out)
			}
			continue
		case command == "xcri-proxy top":
			short += " --once --interval 100ms"
		case command == "xcri-proxy verify":
			short += " --rate 100 --limit 10"
		case words[1] == "load" && len(words) == 3:
			short += " --requests 500"
		}
		if out, status := shell(t, dir, proxy.envFile, short); status != 0 && status != otherStatus[command] {
			t.Errorf("%s: status %d\n%s", command, status, out)
		}
	}
	for _, name := range []string{"top", "report", "warm", "purge", "explain", "maintenance", "source", "verify", "preflight", "load"} {
		if !seen[name] {
			t.Errorf("the page has no command xcri-proxy %s", name)
		}
	}
}

// forRoot are the first words of the migration's commands that change the machine: a
// real Apache and systemd's checks stand in for them in other tests.
var forRoot = []string{"systemctl", "a2enmod", "apache2ctl"}

// installInto runs a command of the migration that installs files, in the folder dir as
// root of the file system.
func installInto(t *testing.T, dir, command string) {
	t.Helper()
	there := regexp.MustCompile(` /(usr|etc|var)/`).ReplaceAllString(command, " "+dir+"/$1/")
	for _, folder := range []string{"usr/local/bin", "etc/systemd/system", "etc/apache2", "var/www"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if there == command || !slices.Contains([]string{"install", "mkdir"}, strings.Fields(command)[0]) {
		t.Errorf("%s: not a command that installs", command)
		return
	}
	if out, status := shell(t, filepath.Join(dir, "release"), "", there); status != 0 {
		t.Errorf("%s: status %d\n%s", command, status, out)
	}
}
