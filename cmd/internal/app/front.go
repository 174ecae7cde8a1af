package app

import (
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy/front"
	"github.com/lewistv/xcri-proxy/proxy/reply"
)

// cdnOf converts the settings of the fields for caches in front.
func cdnOf(cfg config.Front) reply.CDN {
	names := map[string]string{"surrogate-key": "Surrogate-Key", "xkey": "xkey", "cache-tag": "Cache-Tag"}
	return reply.CDN{MaxAge: cfg.MaxAge, StaleIfError: cfg.StaleIfError, Tags: names[cfg.Tags]}
}

// frontOf converts the settings of the purges of caches in front.
func frontOf(cfg config.Front) front.Options {
	header := []string{}
	return front.Options{URLs: cfg.PurgeURLs, Request: front.Request{
		Method: cfg.Method, Header: append(header, cfg.Headers...), Body: cfg.Body, Token: string(cfg.Token),
	}}
}
