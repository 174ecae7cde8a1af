// Package mariadb starts a MariaDB server of a test's own in a temporary
// folder, on loopback and a free port, and stops it when the test ends.
//
// With RootVariable in the environment it starts the server of another system:
// another version of MariaDB, or MySQL.
package mariadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/storetest"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

const (
	// Database is the schema that Start creates and fills.
	Database = "xcri"
	// Reader is an account that may SELECT and nothing else, as in production.
	Reader = "xcri_reader"
	// Password is Reader's.
	Password = "read only"
)

// Server is a running MariaDB with the sample data. Its methods are not safe
// for concurrent use.
type Server struct {
	Host   string
	Port   int
	Socket string
	kind   kind
	dir    string
	opts   Options
	cmd    *exec.Cmd
	done   chan error
}

// Options configure Start; the zero value suits most tests.
type Options struct {
	Empty bool         // leave the database without tables
	TLS   *Certificate // nil means a server without TLS
	Args  []string     // of the server, after the default options
}

// Certificate holds the paths of a server's certificate, its key, and the authority
// for the certificates of clients.
type Certificate struct{ CA, Cert, Key string }

// Start runs a server with the sample data. The caller stops it with Close.
func Start(opts Options) (*Server, error) {
	kind, err := find()
	if err != nil {
		return nil, err
	}
	// The socket's path must stay under 108 bytes, which a test's own
	// temporary folder may not.
	dir, err := os.MkdirTemp("", "xcri-mariadb-")
	if err != nil {
		return nil, err
	}
	free, err := port.Free()
	if err != nil {
		return nil, err
	}
	s := &Server{Host: "127.0.0.1", Port: free, Socket: filepath.Join(dir, "s.sock"), kind: kind, dir: dir, opts: opts}
	if err := s.install(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := s.Run(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := s.fill(opts); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) install() error {
	cmd := s.kind.install(s)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd.Path, err, out)
	}
	return nil
}

// Run starts the server process on the folder that Start made: for a test that
// has stopped it.
func (s *Server) Run() error {
	logfile, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logfile.Close()
	s.cmd = s.kind.run(s)
	s.cmd.Stdout, s.cmd.Stderr = logfile, logfile
	// The server ends with the test, also when the test is killed.
	s.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan<- error) { done <- cmd.Wait() }(s.cmd, s.done)
	return s.ready()
}

func (s *Server) ready() error {
	db, err := s.Root("")
	if err != nil {
		return err
	}
	defer db.Close()
	for deadline := time.Now().Add(time.Minute); ; {
		if err = db.Ping(); err == nil {
			return nil
		}
		select {
		case <-s.done:
			text, _ := os.ReadFile(s.log())
			return fmt.Errorf("the server ended immediately:\n%s", text)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

func (s *Server) fill(opts Options) error {
	ctx := context.Background()
	root, err := s.Root("")
	if err != nil {
		return err
	}
	defer root.Close()
	for _, q := range []string{
		"CREATE DATABASE " + Database + " CHARACTER SET utf8mb4",
		fmt.Sprintf("CREATE USER %s@'%%' IDENTIFIED BY '%s'", Reader, Password),
		fmt.Sprintf("GRANT SELECT ON %s.* TO %s@'%%'", Database, Reader),
	} {
		if _, err := root.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	if opts.Empty {
		return nil
	}
	db, err := s.Root(Database)
	if err != nil {
		return err
	}
	defer db.Close()
	return storetest.Load(ctx, db)
}

// Root returns a pool of connections that may do everything; the caller
// closes it.
func (s *Server) Root(database string) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.DBName, cfg.Net, cfg.Addr = "root", database, "unix", s.Socket
	cfg.Params, cfg.Logger = s.kind.session(), &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Accepts reports whether the server runs a statement without an error.
func Accepts(db *sql.DB, statement string) bool {
	_, err := db.Exec(statement)
	return err == nil
}

// Variable returns the first of names that is a variable of the server, or the last.
func Variable(db *sql.DB, names ...string) string {
	for _, name := range names {
		if Accepts(db, "SELECT @@"+name) {
			return name
		}
	}
	return names[len(names)-1]
}

// Signal sends sig to the server process. SIGSTOP has taken effect when it
// returns.
func (s *Server) Signal(sig os.Signal) error {
	if err := s.cmd.Process.Signal(sig); err != nil || sig != syscall.SIGSTOP {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); !s.stopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return errors.New("the server does not stop")
		}
	}
	return nil
}

// stopped reports whether every thread of the server has stopped.
func (s *Server) stopped() bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.cmd.Process.Pid))
	for _, file := range threads {
		stat, err := os.ReadFile(file)
		_, state, _ := strings.Cut(string(stat), ") ") // after the name, in brackets
		if err == nil && !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return len(threads) > 0
}

// Kill ends the server process without warning and waits for its end; Run
// starts it again.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	<-s.done
}

// Close stops the server and removes its folder.
func (s *Server) Close() {
	s.Kill()
	os.RemoveAll(s.dir)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }
func (s *Server) log() string  { return filepath.Join(s.dir, "log") }
