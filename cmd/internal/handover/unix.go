//go:build unix

package handover

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/flock"
)

// probeTimeout limits the attempt to connect to an existing socket.
const probeTimeout = time.Second

// bindUnix listens on a new Unix socket with a mode. A socket at path that no
// process accepts on is stale and removed first; any other file is refused. The folder is
// locked, so that two processes that start or stop at the same time can't remove each
// other's socket.
func bindUnix(path string, mode fs.FileMode) (net.Listener, error) {
	unlock, err := flock.Lock(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// If the mode were set after bind, other accounts could connect in between.
	mask := syscall.Umask(int(^mode & fs.ModePerm))
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	syscall.Umask(mask)
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false) // a successor may serve it by then
	return ln, nil
}

// removeUnix removes a socket that no process accepts on.
func removeUnix(path string) error {
	unlock, err := flock.Lock(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	return removeStale(path)
}

// removeStale is removeUnix with the folder locked.
func removeStale(path string) error {
	file, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case file.Mode().Type() != fs.ModeSocket:
		return errors.New("a file that is not a socket is in the way; remove it or choose another path")
	}
	conn, err := net.DialTimeout("unix", path, probeTimeout)
	if err == nil {
		conn.Close()
		return errors.New("another process accepts connections there")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("a socket is in the way, and it is not certain that no process uses it: %w", err)
	}
	return os.Remove(path)
}
