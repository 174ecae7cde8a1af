package gate

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// connectVar names, for a process that TestMain starts, the network and address
// that it connects to.
const connectVar = "XCRI_TEST_CONNECT"

func TestMain(m *testing.M) {
	if network, addr, ok := strings.Cut(os.Getenv(connectVar), " "); ok {
		conn, err := net.Dial(network, addr)
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		io.Copy(io.Discard, conn) // until the other end closes it
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// wrapped is a connection that wraps another, like the server's connections.
type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

// TestAccount: the peer's account is found for each kind of connection and each
// account.
func TestAccount(t *testing.T) {
	accounts := []int{os.Getuid()}
	if os.Getuid() == 0 {
		accounts = append(accounts, 33, 12345)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "xcri-account-") // for all accounts
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "connect")
	text, err := os.ReadFile(self)
	if err = errors.Join(err, os.Chmod(dir, 0o755), os.WriteFile(program, text, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct{ listen, network string }{{"127.0.0.1:0", "tcp"}, {"[::1]:0", "tcp"}, {filepath.Join(dir, "s"), "unix"}} {
		t.Run(at.network+" "+at.listen, func(t *testing.T) {
			ln, err := net.Listen(at.network, at.listen)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			addr := ln.Addr().String()
			if at.network == "unix" {
				os.Chmod(at.listen, 0o666)
			}
			for _, want := range accounts {
				cmd := exec.Command(program)
				cmd.Env = append(os.Environ(), connectVar+"="+at.network+" "+addr)
				cmd.Stderr = os.Stderr
				if want != os.Getuid() {
					cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(want), Gid: uint32(want)}}
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				conn, err := ln.Accept()
				if err != nil {
					t.Fatal(err)
				}
				if uid, err := Account(wrapped{wrapped{conn}}); uid != want || err != nil {
					t.Errorf("%d, %v, want %d", uid, err, want)
				}
				conn.Close()
				cmd.Wait()
			}
		})
	}
}

// TestUnknownPeerHasNoAccount: a peer that has closed its end, or that is on another machine,
// has no account; in particular it is not reported as root.
func TestUnknownPeerHasNoAccount(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for name, end := range map[string]func(*net.TCPConn) error{"closed": (*net.TCPConn).Close, "half closed": (*net.TCPConn).CloseWrite} {
		peer, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := end(peer.(*net.TCPConn)); err != nil {
			t.Fatal(err)
		}
		io.ReadAll(conn) // its end has come
		if uid, err := Account(conn); !errors.Is(err, errAccount) {
			t.Errorf("%s: %d %v", name, uid, err)
		}
	}
	one, other := net.Pipe()
	defer one.Close()
	defer other.Close()
	if uid, err := Account(one); err == nil {
		t.Errorf("a pipe: %d", uid)
	}
	if uid, err := Account(nil); err == nil {
		t.Errorf("no connection: %d", uid)
	}
	if uid, err := search("/nowhere/tcp", netip.AddrPort{}, netip.AddrPort{}); err == nil {
		t.Errorf("no table: %d", uid)
	}
}

// TestAccountIn: a line has an account only if it is an established connection that a
// process holds. Source: proc(5).
func TestAccountIn(t *testing.T) {
	for line, want := range map[string]int{
		"9: 0100007F:8F9C 0100007F:1F40 01 00000000:00000000 00:00000000 00000000 33 0 24893 1 0": 33,
		"9: 0100007F:8F9C 0100007F:1F40 01 00000000:00000000 00:00000000 00000000 0 0 1":          0,
		"9: 0100007F:8F9C 0100007F:1F40 01 00000000:00000000 00:00000000 00000000 33 0 0 1 0":     -1,
		"9: 0100007F:8F9C 0100007F:1F40 06 00000000:00000000 03:000016B6 00000000 0 0 0 3 0":      -1,
		"9: 0100007F:8F9C 0100007F:1F40 05 00000000:00000000 00:00000000 00000000 33 0 24893 1 0": -1,
		"9: 0100007F:8F9C 0100007F:1F40 01 00000000:00000000 00:00000000 00000000 33 0":           -1,
		"9: 0100007F:8F9C 0100007F:1F40 01 00000000:00000000 00:00000000 00000000 x 0 24893 1 0":  -1,
		"": -1,
	} {
		if uid, err := accountIn(strings.Fields(line)); (err == nil) != (want >= 0) || err == nil && uid != want {
			t.Errorf("%s: %d %v, want %d", line, uid, err, want)
		}
	}
}

// TestEntry: addresses are formatted as on a little-endian machine, which all
// supported machines are. A socket for both IP versions has IPv4 addresses in the wide
// table.
func TestEntry(t *testing.T) {
	for address, want := range map[string][2]string{
		"127.0.0.1:8000":          {"0100007F:1F40", "0000000000000000FFFF00000100007F:1F40"},
		"[::ffff:127.0.0.1]:8000": {"0100007F:1F40", "0000000000000000FFFF00000100007F:1F40"},
		"[2001:db8::1]:80":        {"", "B80D0120000000000000000001000000:0050"},
	} {
		at := netip.MustParseAddrPort(address)
		if got := entry(at, false); want[0] != "" && got != want[0] {
			t.Errorf("%s: %s, want %s", address, got, want[0])
		}
		if got := entry(at, true); got != want[1] {
			t.Errorf("%s: %s, want %s", address, got, want[1])
		}
	}
}

// TestConcurrentAccounts: concurrent searches over the limit wait for others, and end.
func TestConcurrentAccounts(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var all sync.WaitGroup
	for range 8 * cap(lookups) {
		all.Go(func() {
			if uid, err := Account(conn); uid != os.Getuid() || err != nil {
				t.Errorf("%d %v", uid, err)
			}
		})
	}
	all.Wait()
}
