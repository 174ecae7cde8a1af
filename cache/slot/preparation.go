package slot

// Preparation is a state that is being prepared.
type Preparation struct {
	*State
	Slots map[*Slot]struct{} // that hold a next version
	// Ahead holds versions that were read from a newer generation, which may be the
	// next to be prepared, so that a preparation which the data overtakes again and
	// again still makes progress.
	Ahead map[string]*Version
}

// NewPreparation returns a preparation of g, which may be nil.
func NewPreparation(g Generation) *Preparation {
	return &Preparation{&State{Generation: g}, map[*Slot]struct{}{}, map[string]*Version{}}
}

// After returns a preparation of g that continues p: it has the slots of p and its versions
// ahead.
func (p *Preparation) After(g Generation) *Preparation {
	return &Preparation{&State{Generation: g}, p.Slots, p.Ahead}
}

// SetNext makes a version the next version of a key, whose slot it makes if there is none.
func (p *Preparation) SetNext(i *Index, key string, v *Version) {
	s := i.Get(key)
	if s == nil {
		s = New(key)
		i.Put(s)
	}
	s.Prepare(v, p.State)
	p.Slots[s] = struct{}{}
	if p.Ahead[key] == v {
		delete(p.Ahead, key)
	}
}
