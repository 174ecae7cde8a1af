package app

import (
	"log/slog"

	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy"
	"github.com/lewistv/xcri-proxy/proxy/content"
)

const (
	// otherFiles is the number of open files other than connections and memory files:
	// the log, the cache file, files of the site, and a reserve.
	otherFiles = 64
	// fewestConns is the minimum of connections for clients, however low the limit is.
	fewestConns = 16
)

// maxConns returns the number of client connections within the limit on open files,
// which it raises to the hard limit.
func maxConns(cfg config.Config, log *slog.Logger) int {
	limit, conns, err := OpenFiles(cfg)
	if err != nil {
		log.Warn("the limit on open files is unknown", "error", err)
		return proxy.MostConns
	}
	if conns < proxy.MostConns {
		log.Warn("few files may be open: fewer clients are connected at a time; raise LimitNOFILE, or ulimit -Hn",
			"open_files", limit, "connections", conns, "connections_with_enough", proxy.MostConns)
	}
	return conns
}

// OpenFiles returns the limit on open files, which it raises to the hard limit, and the
// number of client connections within it.
func OpenFiles(cfg config.Config) (limit uint64, conns int, err error) {
	if limit, err = raiseOpenFiles(); err != nil {
		return 0, 0, err
	}
	return limit, connsWithin(limit, cfg), nil
}

// connsWithin returns the number of client connections within a limit on open files.
func connsWithin(limit uint64, cfg config.Config) int {
	others := otherFiles + cfg.Database.MaxConns + cfg.Legacy.MaxConns + int(cfg.Cache.Bytes/content.FileFrom)
	free := int(min(limit, 1<<20)) - others
	// If the limit is low, clients have priority over memory files: a body without a
	// file stays on the heap.
	return min(proxy.MostConns, max(free, int(min(limit, 1<<20))/2, fewestConns))
}
