package apart

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// endWithParent lets the kernel end a command when the thread that starts it ends.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// Lower puts the process into the scheduler's idle class. A class holds for a thread, and
// for the threads that this thread starts (sched(7)). Therefore Lower executes the program
// once more, with the same arguments, and returns in the new program. Call it before any
// input is read.
func Lower() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	class, _, errno := unix.Syscall(unix.SYS_SCHED_GETSCHEDULER, 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("sched_getscheduler", errno)
	}
	if class == unix.SCHED_IDLE {
		return nil
	}
	// Not sched_setattr: systemd's RestrictRealtime=yes checks the class of this call alone.
	var priority struct{ value int32 }
	if _, _, errno := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_IDLE, uintptr(unsafe.Pointer(&priority))); errno != 0 {
		return os.NewSyscallError("sched_setscheduler", errno)
	}
	return fmt.Errorf("execute %s once more: %w", os.Args[0], syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}
