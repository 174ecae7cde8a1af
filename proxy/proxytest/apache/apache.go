// Package apache starts an Apache HTTP server for a test in a temporary folder, on a
// free loopback port, and stops it when the test ends.
package apache

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

const (
	// modules is the folder of modules in Debian's package apache2-bin.
	modules = "/usr/lib/apache2/modules"
	// started is the message in the error log after a start or restart.
	started  = "resuming normal operations"
	patience = 20 * time.Second
)

// Server is a running Apache. Its methods are not safe for concurrent use.
type Server struct {
	URL  string // http://127.0.0.1:port
	Root string // the document root, where .htaccess files count; empty at first
	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// Start runs an Apache with one virtual host that contains conf, and with the named
// modules in addition to the standard modules. Apache is stopped when the test ends;
// if the test has failed, its logs are shown. Without an installed Apache the test is
// skipped, or fails in CI.
func Start(t testing.TB, conf string, modules ...string) *Server {
	t.Helper()
	bin := need.Program(t, "apache2", "apache2-bin")
	s := &Server{done: make(chan struct{})}
	var err error
	// Apache's children run as another user than root and read files below.
	if s.dir, err = os.MkdirTemp("", "xcri-apache-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	s.Root = filepath.Join(s.dir, "root")
	if err := s.configure(conf, modules); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(bin, "-f", s.config(), "-D", "FOREGROUND")
	// Apache runs in its own process group, to be killed with its children. It ends
	// with the test process, even if that is killed.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	var output strings.Builder
	s.cmd.Stdout, s.cmd.Stderr = &output, &output
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.cmd.Wait(); close(s.done) }()
	if err := s.await(1); err != nil {
		s.kill()
		t.Fatalf("%v\n%s", err, output.String())
	}
	return s
}

// configure writes the configuration.
func (s *Server) configure(conf string, extra []string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := ln.Addr().String()
	ln.Close()
	s.URL = "http://" + addr

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
	for _, dir := range []string{s.dir, s.Root} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
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
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	return s.await(times + 1)
}

// await waits until the server has started the given number of times.
func (s *Server) await(times int) error {
	for deadline := time.Now().Add(patience); s.starts() < times; {
		select {
		case <-s.done:
			return fmt.Errorf("apache2 has ended\n%s", s.log("error.log"))
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("apache2 has not started within %v", patience)
		}
	}
	return nil
}

func (s *Server) starts() int { return strings.Count(s.log("error.log"), started) }

func (s *Server) log(name string) string {
	text, _ := os.ReadFile(filepath.Join(s.dir, name))
	return string(text)
}

func (s *Server) config() string { return filepath.Join(s.dir, "apache.conf") }

// kill ends the server and its children.
func (s *Server) kill() {
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.done
}

// end returns the last lines of a log.
func end(text string) string { return text[max(0, len(text)-3000):] }

// stop ends the server, and shows its logs if the test has failed.
func (s *Server) stop(t testing.TB) {
	if s.cmd != nil && s.cmd.Process != nil {
		s.kill()
	}
	if t.Failed() {
		t.Logf("Apache's error log ends:\n%s\nits access log ends:\n%s", end(s.log("error.log")), end(s.log("access.log")))
	}
	os.RemoveAll(s.dir)
}
