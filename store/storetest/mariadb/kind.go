package mariadb

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

// RootVariable names an environment variable: the root folder of a system whose
// database server is used instead of this machine's. The folder of temporary files
// must be the same in both systems, and the tests must run as root. `.ci/platforms`
// sets it.
const RootVariable = "TEST_DATABASE_ROOT"

// ErrMissing means that no MariaDB server is installed.
var ErrMissing = errors.New("mariadbd and mariadb-install-db are needed: apt-get install mariadb-server")

// kind is a kind of server: the commands that make its data folder and run it, and the
// variables with which a session sees the last change of a table immediately.
type kind interface {
	install(s *Server) *exec.Cmd
	run(s *Server) *exec.Cmd
	session() map[string]string
}

// find returns the kind of server that tests start.
func find() (kind, error) {
	root := os.Getenv(RootVariable)
	if root == "" {
		for _, program := range []string{"mariadbd", "mariadb-install-db"} {
			if _, err := exec.LookPath(program); err != nil {
				return nil, ErrMissing
			}
		}
		return mariaDB{server: "mariadbd", installer: "mariadb-install-db"}, nil
	}
	const mariadbd, mysqld = "/usr/sbin/mariadbd", "/usr/sbin/mysqld"
	for _, program := range []string{mariadbd, mysqld} { // MariaDB may have a link of MySQL's name
		if _, err := os.Stat(filepath.Join(root, program)); err != nil {
			continue
		}
		if program == mysqld {
			return mySQL{root: root, server: mysqld}, nil
		}
		return mariaDB{root: root, server: mariadbd, installer: "/usr/bin/mariadb-install-db"}, nil
	}
	return nil, fmt.Errorf("%s: no database server in %s", RootVariable, root)
}

// LongDeviations reports whether the server computes the STDDEV of a DECIMAL as a DOUBLE
// with all its digits, like MySQL, instead of a DECIMAL. The recorded answers are from a
// MariaDB; ShortDeviation makes answers comparable with them.
func LongDeviations() bool {
	kind, err := find()
	_, is := kind.(mySQL)
	return err == nil && is
}

var deviation = regexp.MustCompile(`"std":-?[0-9.e+-]+`)

// ShortDeviation returns body with the eight decimals of MariaDB in the standard
// deviation, if LongDeviations.
func ShortDeviation(body []byte) []byte {
	if !LongDeviations() {
		return body
	}
	return deviation.ReplaceAllFunc(body, func(text []byte) []byte {
		n, err := strconv.ParseFloat(string(text[len(`"std":`):]), 64)
		if err != nil {
			return text
		}
		short, _ := json.Marshal(math.Round(n*1e8) / 1e8)
		return append([]byte(`"std":`), short...)
	})
}

// command returns a command of the system in root; empty means this machine.
func command(root, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if root != "" {
		cmd.Dir = "/"
	}
	return cmd
}

// common returns the options that MariaDB and MySQL share.
func common(s *Server) []string {
	return []string{"--no-defaults", "--datadir=" + s.data(), "--user=" + user(), "--socket=" + s.Socket,
		"--bind-address=" + s.Host, "--port=" + strconv.Itoa(s.Port), "--pid-file=" + filepath.Join(s.dir, "pid"),
		"--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=512M", "--max-connections=100", "--local-infile=1",
		"--skip-log-bin", "--performance-schema=OFF",
		// A server that starts removes the temporary tables of its folder.
		"--tmpdir=" + s.dir}
}

// mariaDB is a MariaDB of 10.6 or later.
type mariaDB struct{ root, server, installer string }

func (m mariaDB) install(s *Server) *exec.Cmd {
	return command(m.root, m.installer, "--no-defaults", "--datadir="+s.data(), "--user="+user(),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=16M", "--tmpdir="+s.dir,
		"--force") // also where the machine's name does not resolve
}

func (m mariaDB) run(s *Server) *exec.Cmd {
	args := append(common(s), "--innodb-log-file-size=16M")
	if tls := s.opts.TLS; tls != nil {
		args = append(args, "--ssl-ca="+tls.CA, "--ssl-cert="+tls.Cert, "--ssl-key="+tls.Key)
	} else {
		args = append(args, "--skip-ssl") // from 11.4 on the default is a certificate of its own
	}
	return command(m.root, m.server, append(args, s.opts.Args...)...)
}

func (mariaDB) session() map[string]string { return nil }

// mySQL is a MySQL of 8.4 or later.
type mySQL struct{ root, server string }

func (m mySQL) install(s *Server) *exec.Cmd {
	return command(m.root, m.server, "--no-defaults", "--initialize-insecure", "--datadir="+s.data(), "--user="+user(),
		"--innodb-redo-log-capacity=32M", "--tmpdir="+s.dir, "--secure-file-priv=NULL")
}

func (m mySQL) run(s *Server) *exec.Cmd {
	args := append(common(s), "--innodb-redo-log-capacity=32M", "--mysqlx=OFF", "--secure-file-priv=NULL")
	if tls := s.opts.TLS; tls != nil {
		args = append(args, "--ssl-ca="+tls.CA, "--ssl-cert="+tls.Cert, "--ssl-key="+tls.Key)
	} else {
		args = append(args, "--tls-version=") // the default is a certificate of its own
	}
	return command(m.root, m.server, append(args, s.opts.Args...)...)
}

func (mySQL) session() map[string]string {
	return map[string]string{"information_schema_stats_expiry": "0"}
}

// user is the account that the server runs as: as root it needs an explicit option.
func user() string {
	if os.Geteuid() == 0 {
		return "root"
	}
	return os.Getenv("USER")
}
