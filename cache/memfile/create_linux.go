package memfile

import (
	"os"

	"golang.org/x/sys/unix"
)

func create() (*os.File, error) {
	fd, err := unix.MemfdCreate("answer", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "answer"), nil
}
