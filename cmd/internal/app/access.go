package app

import (
	"fmt"
	"os"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy/trace"
)

// traceOptions opens the access log, if there is one, and returns the options of the
// reports of requests.
func (a *App) traceOptions() (trace.Options, error) {
	opts := trace.Options{Slow: a.cfg.Slow.Request}
	access := a.cfg.Access
	if access.Log == "" {
		return opts, nil
	}
	log, err := openAccessLog(access)
	if err != nil {
		return opts, fmt.Errorf("ACCESS_LOG: %w", err)
	}
	a.handOver.access, opts.Log = log, log
	log.Share(a.listener.Predecessor != nil) // which rotates it until the takeover
	return opts, nil
}

func openAccessLog(access config.Access) (*accesslog.Log, error) {
	return accesslog.Open(accesslog.Options{
		Path: access.Log, Format: accesslog.Format(access.Format), Size: access.Size, Files: access.Files, Stdout: os.Stdout,
	})
}
