//go:build !unix

package handover

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
)

// errNoHandOver reports an operation that needs a Unix system.
var errNoHandOver = errors.New("this system can't pass a socket on")

func inherited(fd int, name string) *os.File { return os.NewFile(uintptr(fd), name) }

func inheritedLine() *os.File { return inherited(lineFD, "predecessor") }

func newLine() (ours, theirs *os.File, err error) { return nil, nil, errNoHandOver }

func isReset(error) bool { return false }

func setGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() }

func listenerOf(*os.File) (net.Listener, error) { return nil, errNoHandOver }

func duplicate(net.Listener) (*os.File, error) { return nil, errNoHandOver }

func bindUnix(string, fs.FileMode) (net.Listener, error) { return nil, errNoHandOver }

func removeUnix(string) error { return errNoHandOver }
