//go:build !unix

package app

import (
	"errors"
	"net"
	"os"
	"os/exec"
)

// errNoHandOver is the answer to all that only a Unix system can do.
var errNoHandOver = errors.New("this system can't pass a socket on")

func inherited(fd int, name string) *os.File { return os.NewFile(uintptr(fd), name) }

func setGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() }

func listenerOf(*os.File) (net.Listener, error) { return nil, errNoHandOver }

func duplicate(net.Listener) (*os.File, error) { return nil, errNoHandOver }
