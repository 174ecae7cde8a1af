package app

import (
	"log/slog"

	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy"
	"github.com/lewistv/xcri-proxy/proxy/content"
)

const (
	// otherFiles is how many files the process has open beside connections and
	// memory files: the log, the cache file, files of the site, and some to spare.
	otherFiles = 64
	// fewestConns is what clients get however few files may be open.
	fewestConns = 16
)

// maxConns returns how many connections of clients fit the limit on open files, which
// it raises as far as the system allows.
func maxConns(cfg config.Config, log *slog.Logger) int {
	limit, err := raiseOpenFiles()
	if err != nil {
		log.Warn("the limit on open files is unknown", "error", err)
		return proxy.MostConns
	}
	conns := connsWithin(limit, cfg)
	if conns < proxy.MostConns {
		log.Warn("few files may be open: fewer clients are connected at a time; raise LimitNOFILE, or ulimit -Hn",
			"open_files", limit, "connections", conns, "connections_with_enough", proxy.MostConns)
	}
	return conns
}

// connsWithin returns how many connections of clients a limit on open files leaves.
func connsWithin(limit uint64, cfg config.Config) int {
	others := otherFiles + cfg.Database.MaxConns + cfg.Legacy.MaxConns + int(cfg.Cache.Bytes/content.FileFrom)
	free := int(min(limit, 1<<20)) - others
	// With few files, clients go before memory files: a body that gets no file stays
	// on the heap.
	return min(proxy.MostConns, max(free, int(min(limit, 1<<20))/2, fewestConns))
}
