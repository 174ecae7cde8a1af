package main

import "syscall"

// apart keeps Ctrl-C, which a terminal sends to all processes of a group, from the Redis
// until the proxies have ended. The Redis ends with the demo, also if the demo is killed.
var apart = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
