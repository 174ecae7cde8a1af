package proxy

import (
	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content"
)

// Save writes what is worth having at the next start to a file; see cache.Save.
func (p *Proxy) Save(path string) (entries int, err error) { return p.cache.Save(path, p.opts.Version) }

// adopt puts what an earlier run saved in the cache, as far as this one could
// have put it there.
func (p *Proxy) adopt(saved []cache.Saved) {
	usable := make([]cache.Saved, 0, len(saved))
	for _, s := range saved {
		if p.usable(s.Entry) {
			usable = append(usable, s)
		}
	}
	if n := len(saved) - len(usable); n > 0 {
		p.opts.Logger.Warn("saved answers left out: this program would store them in another way", "entries", n)
	}
	p.cache.Adopt(usable)
}

// usable reports whether an entry is one that a fill of its key could have
// made. The keys and scopes of another version of this program, or the bodies
// of another program, may be different.
func (p *Proxy) usable(e *cache.Entry) bool {
	q, err := p.router.Resolve(e.Key)
	return err == nil && q.Key == e.Key && q.Query.Scope().String() == e.Scope && content.Check(&e.Content) == nil
}
