package gate

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lookups limits the concurrent searches of the kernel's connection table, and lookupWait is
// the longest wait of a request for its search.
var lookups = make(slots, 4)

const lookupWait = 2 * time.Second

var errAccount = errors.New("its connection is not in the system's table")

// Account returns the user ID of the process at the other end of a connection within
// this machine. Where the system does not provide it, the error is
// errors.ErrUnsupported.
func Account(conn net.Conn) (uid int, err error) {
	for {
		inner, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = inner.NetConn()
	}
	switch c := conn.(type) {
	case *net.UnixConn:
		return unixAccount(c)
	case *net.TCPConn:
		return tcpAccount(c)
	}
	return 0, fmt.Errorf("a %T has no peer", conn)
}

func unixAccount(conn *net.UnixConn) (uid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var failed error
	if err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err == nil {
		err = failed
	}
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

// tcpAccount finds the peer's socket in the kernel's connection tables. A search may
// miss an entry while others are added and removed, so it is repeated.
func tcpAccount(conn *net.TCPConn) (uid int, err error) {
	if !lookups.take(lookupWait) {
		return 0, errBusy
	}
	defer lookups.free()
	// The peer's local address is our remote one.
	local, ok := conn.RemoteAddr().(*net.TCPAddr)
	remote, isTCP := conn.LocalAddr().(*net.TCPAddr)
	if !ok || !isTCP {
		return 0, errAccount
	}
	for range 3 {
		for _, name := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
			switch uid, err = search(name, local.AddrPort(), remote.AddrPort()); {
			case err == nil:
				return uid, nil
			case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
				return 0, errBusy
			}
		}
	}
	return 0, errAccount
}

// search searches one table for an established connection.
func search(table string, local, remote netip.AddrPort) (uid int, err error) {
	f, err := os.Open(table)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	wide := strings.HasSuffix(table, "6")
	ends := " " + entry(local, wide) + " " + entry(remote, wide) + " "
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.Contains(lines.Text(), ends) {
			return accountIn(strings.Fields(lines.Text()))
		}
	}
	return 0, errAccount
}

// accountIn reads a line of the table. A socket that its process has closed has no
// inode, and its user ID is meaningless.
func accountIn(fields []string) (uid int, err error) {
	const state, owner, inode, established = 3, 7, 9, "01"
	if len(fields) <= inode || fields[state] != established || fields[inode] == "0" {
		return 0, errAccount
	}
	return strconv.Atoi(fields[owner])
}

// entry formats an address as in the tables: each word in the machine's byte order.
func entry(at netip.AddrPort, wide bool) string {
	address := at.Addr().Unmap()
	bytes := address.AsSlice()
	if wide {
		all := address.As16()
		bytes = all[:]
	}
	var b strings.Builder
	for ; len(bytes) >= 4; bytes = bytes[4:] {
		fmt.Fprintf(&b, "%08X", binary.NativeEndian.Uint32(bytes))
	}
	fmt.Fprintf(&b, ":%04X", at.Port())
	return b.String()
}
