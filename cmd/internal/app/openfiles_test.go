package app

import (
	"bytes"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy"
)

// The connections of clients are limited to the open files that remain after the
// proxy's own.
func TestConnsWithinOpenFiles(t *testing.T) {
	var cfg config.Config
	cfg.Database.MaxConns, cfg.Legacy.MaxConns, cfg.Cache.Bytes = 8, 16, 64<<20
	for limit, want := range map[uint64]int{
		1 << 62: proxy.MostConns, 8192: proxy.MostConns, 4344: proxy.MostConns, 4343: proxy.MostConns - 1,
		1024: 1024 - otherFiles - 24 - 256, 400: 200, 64: 32, 10: fewestConns,
	} {
		if got := connsWithin(limit, cfg); got != want {
			t.Errorf("%d open files: %d connections, want %d", limit, got, want)
		}
	}
}

// The limit on open files is raised to the hard limit. A limit that reduces the number
// of connections is logged.
func TestOpenFilesRaised(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)
	low := before
	low.Cur = 500
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	conns := maxConns(config.Config{}, slog.New(slog.NewTextHandler(&log, nil)))
	var after syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &after); err != nil {
		t.Fatal(err)
	}
	if after.Cur != before.Max {
		t.Errorf("the limit is %d, want %d", after.Cur, before.Max)
	}
	if warned := strings.Contains(log.String(), "few files may be open"); warned != (conns < proxy.MostConns) {
		t.Errorf("%d connections, log: %s", conns, &log)
	}
}
