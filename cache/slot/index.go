package slot

import "sync"

// Index finds the slot of a key. The zero value is empty. It is safe for concurrent use.
type Index struct {
	mu    sync.RWMutex
	slots map[string]*Slot // nil before the first Put
}

// Get returns the slot of key, or nil.
func (i *Index) Get(key string) *Slot {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.slots[key]
}

// Put adds a slot.
func (i *Index) Put(s *Slot) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.slots == nil {
		i.slots = map[string]*Slot{}
	}
	i.slots[s.Key] = s
}

// Remove removes a slot.
func (i *Index) Remove(s *Slot) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.slots, s.Key)
}

// All returns every slot.
func (i *Index) All() []*Slot {
	i.mu.RLock()
	defer i.mu.RUnlock()
	all := make([]*Slot, 0, len(i.slots))
	for _, s := range i.slots {
		all = append(all, s)
	}
	return all
}
