// Package apache starts an Apache HTTP server for a test in a temporary folder, on a
// free loopback port, and stops it when the test ends.
package apache

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/daemon"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

const (
	// modules is the folder of modules in Debian's package apache2-bin.
	modules = "/usr/lib/apache2/modules"
	// started is the message in the error log after a start or restart.
	started = "resuming normal operations"
)

// Server is a running Apache. Its methods are not safe for concurrent use.
type Server struct {
	URL  string // http://127.0.0.1:port
	Root string // the document root, where .htaccess files count; empty at first
	dir  string

	process *daemon.Process
}

// Start runs an Apache with one virtual host that contains conf, and with the named
// modules in addition to the standard modules. Apache is stopped when the test ends;
// if the test has failed, its logs are shown. Without an installed Apache the test is
// skipped, or fails in CI.
func Start(t testing.TB, conf string, modules ...string) *Server {
	t.Helper()
	bin := need.Program(t, "apache2", "apache2-bin")
	dir := daemon.Folder(t, 0o755) // Apache's children run as another user than root and read files below
	addr := port.Address(t)
	s := &Server{URL: "http://" + addr, Root: filepath.Join(dir, "root"), dir: dir}
	if err := s.configure(addr, conf, modules); err != nil {
		t.Fatal(err)
	}
	s.process = daemon.Start(t, daemon.Program{
		Path: bin, Args: []string{"-f", s.config(), "-D", "FOREGROUND"},
		Logs: []string{s.errorLog(), filepath.Join(dir, "access.log")}, Ready: func() bool { return s.starts() > 0 },
	})
	return s
}

// configure writes the configuration.
func (s *Server) configure(addr, conf string, extra []string) error {
	var b strings.Builder
	for _, name := range append([]string{"mpm_event", "authz_core", "mime"}, extra...) {
		fmt.Fprintf(&b, "LoadModule %s_module %s/mod_%s.so\n", name, modules, name)
	}
	if os.Geteuid() == 0 {
		b.WriteString("User www-data\nGroup www-data\n")
	}
	fmt.Fprintf(&b, `
ServerRoot %[1]q
ServerName localhost
DefaultRuntimeDir %[1]q
PidFile "%[1]s/pid"
ErrorLog "%[1]s/error.log"
CustomLog "%[1]s/access.log" combined
LogFormat "%%h %%l %%u %%t \"%%r\" %%>s %%b \"%%{Referer}i\" \"%%{User-Agent}i\"" combined
LogLevel notice
TypesConfig /dev/null
AddType text/html .html
StartServers 2
ThreadsPerChild 50
MaxRequestWorkers 200
Listen %[2]s
<Directory %[3]q>
	AllowOverride All
	Require all granted
</Directory>
<VirtualHost %[2]s>
	DocumentRoot %[3]q
%[4]s
</VirtualHost>
`, s.dir, addr, s.Root, conf)
	if err := os.Mkdir(s.Root, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(s.Root, 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.config(), []byte(b.String()), 0o644)
}

// Write puts a file below the document root and makes the folders it needs.
func (s *Server) Write(t testing.TB, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(s.Root, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(content), mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Graceful reloads the configuration and replaces the children, which finish their
// answers. It returns when the new children serve.
func (s *Server) Graceful() error {
	times := s.starts()
	if err := s.process.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	s.process.Await("started again", func() bool { return s.starts() > times })
	return nil
}

// starts returns the number of starts and restarts.
func (s *Server) starts() int {
	text, _ := os.ReadFile(s.errorLog())
	return strings.Count(string(text), started)
}

func (s *Server) errorLog() string { return filepath.Join(s.dir, "error.log") }
func (s *Server) config() string   { return filepath.Join(s.dir, "apache.conf") }
