package proxy

import (
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/preload"
	"github.com/lewistv/xcri-proxy/proxy/season"
)

// Ahead configures the work ahead of requests.
type Ahead struct {
	// Preload learns which list each page of the site requests; nil means that no page
	// names a list.
	Preload *preload.Learner
	// Season lists the subjects of the live rankings; nil means that no season is filled.
	Season season.Store
	// Lull notes the fills, so that work in the background leaves the processor to them; nil
	// means a Lull that only the Proxy knows.
	Lull *content.Lull
}

// followers follow the database: its generations, and the season of each.
type followers struct {
	generations *generation.Watcher
	season      *season.Walker
}

func (p *Proxy) seasonOptions() season.Options {
	return season.Options{
		Store: p.opts.Season, Cache: p.cache, Outage: p.outage, Routes: p.router, Published: p.generations.Published,
		Paused: p.maintenance.On, OnFilled: p.opts.Generations.OnPublish, Logger: p.opts.Logger,
	}
}

// purged follows a purge: the entries are saved, and the season is filled again.
func (p *Proxy) purged() {
	p.season.Wake()
	p.opts.Generations.OnPublish()
}
