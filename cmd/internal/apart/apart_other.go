//go:build !linux

package apart

import (
	"errors"
	"os/exec"
)

func endWithParent(*exec.Cmd) {}

// Lower returns an error: only Linux has the idle class.
func Lower() error { return errors.ErrUnsupported }
