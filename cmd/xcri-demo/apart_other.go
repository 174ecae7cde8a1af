//go:build !linux

package main

import "syscall"

// apart is nil: the Redis gets Ctrl-C with the demo.
var apart *syscall.SysProcAttr
