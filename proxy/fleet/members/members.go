// Package members lists the members of a fleet that are alive, and the members that are gone
// without having left.
package members

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Info describes a member to the others. A member that is started again has the same name.
type Info struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Generation string `json:"generation"`    // published; empty before the first
	Calculated string `json:"calculated_at"` // of the generation
	Health     string `json:"health"`        // the gravest condition
}

// Member is a member that is alive.
type Member struct {
	ID string // unique, and another after each start
	// The Name of each further member of the same name has a number, so that all names
	// differ.
	Info
	Own bool // the member that reports
	// Behind is the time from which the member has not published the newest generation, by the
	// clock of the member that reports; zero if it has. Double is the time from which another
	// member of its name has been alive; zero if none is.
	Behind, Double time.Time
}

// Report is a heartbeat.
type Report struct {
	ID    string        // of the member
	Info  []byte        // see Info.Encode
	Lasts time.Duration // for which the member counts as alive
	First bool          // the first of the member, after its start
	List  bool          // the member lists the others
}

// Heard is the last report of a member, as the level has it.
type Heard struct {
	Info []byte
	Ago  time.Duration // by the clock of the level
	Gone bool          // too long ago: the member is not alive
}

// Gone is a member that has neither reported nor left.
type Gone struct {
	Info
	// Heard is the time of its last report, by the clock of the member that reports.
	Heard time.Time
}

// List lists the members. The zero value is empty. It is safe for concurrent use.
type List struct {
	mu   sync.Mutex
	all  []Member
	gone []Gone
	// damaged are the IDs of reports that are not understood.
	damaged         map[string]bool
	behind, doubles spells
}

// spells are the times from which something has held, by the ID of a member.
type spells map[string]time.Time

// since returns the time from which something has held for a member, and records it in s;
// was is the record of the last update.
func (s spells) since(id string, was spells, now time.Time) time.Time {
	if at, ok := was[id]; ok {
		now = at
	}
	s[id] = now
	return now
}

// Update replaces the list by the reports that the level holds. It returns the number of
// reports that are not understood, each counted once.
func (l *List) Update(found map[string]Heard, own string, now time.Time) (damaged int) {
	all, gone, bad := parse(found, own, now)
	newest, count := "", map[string]int{}
	for _, one := range all {
		newest = max(newest, one.Calculated)
		count[one.Name]++
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range bad {
		if !l.damaged[id] {
			damaged++
		}
	}
	behind, doubles, names := spells{}, spells{}, map[string]bool{}
	for i := range all {
		one := &all[i]
		if one.Calculated != newest {
			one.Behind = behind.since(one.ID, l.behind, now)
		}
		if count[one.Name] > 1 {
			one.Double = doubles.since(one.ID, l.doubles, now)
		}
		name := one.Name
		for n := 2; names[one.Name]; n++ {
			one.Name = fmt.Sprintf("%s (%d)", name, n)
		}
		names[one.Name] = true
	}
	l.all, l.gone, l.damaged, l.behind, l.doubles = all, gone, bad, behind, doubles
	return damaged
}

// parse returns the members by name, and the IDs of the reports that are not understood. A
// name is not gone while a member of that name is alive.
func parse(found map[string]Heard, own string, now time.Time) (all []Member, gone []Gone, bad map[string]bool) {
	bad = map[string]bool{}
	alive, last := map[string]bool{}, map[string]Gone{}
	for id, heard := range found {
		info, ok := decode(id, heard.Info)
		switch at := now.Add(-heard.Ago); {
		case !ok:
			bad[id] = true
		case !heard.Gone:
			all = append(all, Member{ID: id, Info: info, Own: id == own})
			alive[info.Name] = true
		case last[info.Name].Heard.Before(at):
			last[info.Name] = Gone{info, at}
		}
	}
	for name, one := range last {
		if !alive[name] {
			gone = append(gone, one)
		}
	}
	slices.SortFunc(all, func(a, b Member) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(gone, func(a, b Gone) int { return cmp.Compare(a.Name, b.Name) })
	return all, gone, bad
}

// All returns the members that are alive, by name.
func (l *List) All() []Member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// Gone returns the members that are gone, by name.
func (l *List) Gone() []Gone {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.gone)
}

// Len returns the number of members that are alive.
func (l *List) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}
