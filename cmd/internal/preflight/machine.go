package preflight

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/app"
	"github.com/lewistv/xcri-proxy/cmd/internal/cgroup"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy"
)

// machine is the root of the file system.
var machine = os.DirFS("/")

// checkMemory compares MEMORY_LIMIT with the machine and with the control group.
func checkMemory(i *inspection, _ context.Context) finding {
	return memoryFinding(i.cfg.MemoryLimit, machine)
}

func memoryFinding(limit int64, root fs.FS) finding {
	group := cgroup.MemoryLimit(root)
	total, available := memInfo(root)
	size := console.Bytes
	switch {
	case total > 0 && limit > total:
		return noGo("lower MEMORY_LIMIT", "MEMORY_LIMIT is %s, and the machine has %s", size(limit), size(total))
	case group > 0 && limit > group/10*9:
		return warn("lower MEMORY_LIMIT, or raise the limit of the control group",
			"MEMORY_LIMIT is %s, and the control group allows %s: the proxy uses a smaller cache", size(limit), size(group))
	case total > 0 && limit > available:
		return warn("lower MEMORY_LIMIT, or free memory", "MEMORY_LIMIT is %s, and %s of %s are available now", size(limit), size(available), size(total))
	case total == 0:
		return warn("compare MEMORY_LIMIT with the machine", "the memory of the machine is not known")
	}
	return pass("MEMORY_LIMIT is %s, %s of %s are available", size(limit), size(available), size(total))
}

// memInfo returns the machine's memory and the part that programs can have without
// swapping, in bytes; zeros if they are not known.
func memInfo(root fs.FS) (total, available int64) {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0, 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		switch name {
		case "MemTotal":
			total = kib << 10
		case "MemAvailable":
			available = kib << 10
		}
	}
	return total, available
}

// checkOpenFiles compares the hard limit on open files with the connections and files
// that the settings allow.
func checkOpenFiles(i *inspection, _ context.Context) finding {
	limit, conns, err := app.OpenFiles(i.cfg)
	switch {
	case err != nil:
		return warn("compare ulimit -Hn with LimitNOFILE of the shipped unit", "the limit on open files is not known: %v", err)
	case conns < proxy.MostConns:
		return warn("raise LimitNOFILE in the unit, or ulimit -Hn", "%d files may be open: %d clients at a time instead of %d", limit, conns, proxy.MostConns)
	}
	return pass("%d files may be open, enough for %d clients at a time", limit, conns)
}

// checkListen checks that the addresses are free, or that a proxy listens there.
func checkListen(i *inspection, ctx context.Context) finding {
	addrs := []struct{ setting, addr string }{{"LISTEN_ADDR", i.cfg.ListenAddr}, {"ADMIN_ADDR", i.cfg.Admin.Addr}}
	var parts []finding
	text := ""
	for _, a := range addrs {
		if a.addr == "" {
			continue
		}
		f := listenFinding(ctx, a.setting, a.addr)
		parts = append(parts, f)
		text += "; " + f.Reason
	}
	return worst(pass("%s", text[2:]), parts...)
}

// listenFinding binds an address for a moment, or asks the program that listens there.
func listenFinding(ctx context.Context, setting, addr string) finding {
	remedy := "change " + setting
	if path, ok := config.UnixPath(addr); ok {
		err := askProxy(ctx, setting, addr)
		if !adminclient.NothingListens(err) {
			return ownFinding(setting, addr, err)
		}
		if err := tryWrite(path); err != nil && !isSocket(path) {
			return noGo("make the folder writable for the account of the service, or "+remedy, "%s: %v", setting, err)
		}
		return pass("%s: %s is free", setting, addr)
	}
	ln, err := net.Listen("tcp", addr)
	if err == nil {
		err = ln.Close()
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return ownFinding(setting, addr, askProxy(ctx, setting, addr))
	case err != nil:
		return noGo(remedy, "%s: %v", setting, err)
	}
	return pass("%s: %s is free", setting, addr)
}

// askProxy returns nil if a proxy answers at an address.
func askProxy(ctx context.Context, setting, addr string) error {
	c, err := adminclient.New(adminclient.Options{Addr: addr, Setting: setting, Timeout: 3 * time.Second})
	if err != nil {
		return err
	}
	return c.Alive(ctx)
}

// ownFinding judges an address in use by the answer of the program there.
func ownFinding(setting, addr string, answer error) finding {
	if answer == nil {
		return pass("%s: a proxy serves at %s now", setting, addr)
	}
	return noGo("end that program, or change "+setting, "%s: another program listens at %s, which gives no answer of a proxy", setting, addr)
}

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Type() == fs.ModeSocket
}
