package proxy

import (
	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/snapshot"
	"github.com/lewistv/xcri-proxy/proxy/content"
)

// Save writes the entries to a file for the next start; see snapshot.Save. by
// identifies the program that filled them. If there are no entries to write, Save
// removes a file that may hold entries from before a hard purge.
func (p *Proxy) Save(path, by string) (entries int, err error) {
	note := p.generations.Note().String() // before the entries
	entries, err = snapshot.Save(path, by, note, p.cache.Export())
	if entries == 0 && err == nil && p.cache.Dropped() {
		err = snapshot.Remove(path)
	}
	return entries, err
}

// adopt adds the saved entries to the cache that pass usable.
func (p *Proxy) adopt(saved []cache.Saved) {
	usable := make([]cache.Saved, 0, len(saved))
	for _, s := range saved {
		if p.usable(&s) {
			usable = append(usable, s)
		}
	}
	if n := len(saved) - len(usable); n > 0 {
		p.opts.Logger.Warn("saved answers left out: this program would store them in another way", "entries", n)
	}
	p.cache.Adopt(usable)
}

// usable reports whether a fill of an entry's key could have made the entry. Another
// version of this program may use different keys and scopes.
func (p *Proxy) usable(e *cache.Saved) bool {
	q, err := p.router.Resolve(e.Key)
	return err == nil && q.Key == e.Key && q.Query.Scope().String() == e.Scope && content.Check(&e.Content) == nil
}
