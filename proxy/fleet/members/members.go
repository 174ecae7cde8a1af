// Package members lists the members of a fleet that are alive, and the members that are gone
// without having left.
package members

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"
)

// Info describes a member to the others.
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
	Info
	Own bool // the member that reports
	// Behind is the time from which the member has not published the newest generation, by the
	// clock of the member that reports; zero if it has.
	Behind time.Time
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
	mu     sync.Mutex
	all    []Member
	gone   []Gone
	behind map[string]time.Time // by ID
}

// Update takes over the members that the level has heard of.
func (l *List) Update(found map[string]Heard, own string, now time.Time) {
	all, newest := make([]Member, 0, len(found)), ""
	var gone []Gone
	for id, heard := range found {
		one := Member{ID: id, Own: id == own}
		if json.Unmarshal(heard.Info, &one.Info) != nil {
			continue // of another format
		}
		if heard.Gone {
			gone = append(gone, Gone{one.Info, now.Add(-heard.Ago)})
			continue
		}
		newest = max(newest, one.Calculated)
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	slices.SortFunc(gone, func(a, b Gone) int { return strings.Compare(a.Name, b.Name) })
	l.mu.Lock()
	defer l.mu.Unlock()
	behind := map[string]time.Time{}
	for i := range all {
		if one := &all[i]; one.Calculated != newest {
			behind[one.ID] = now
			if since, ok := l.behind[one.ID]; ok {
				behind[one.ID] = since
			}
			one.Behind = behind[one.ID]
		}
	}
	l.all, l.gone, l.behind = all, gone, behind
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
