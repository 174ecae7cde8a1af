//go:build !unix

package socket

func peek(uintptr) bool { return false }
