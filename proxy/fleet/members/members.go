// Package members lists the members of a fleet that are alive.
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

// List lists the members. The zero value is empty. It is safe for concurrent use.
type List struct {
	mu     sync.Mutex
	all    []Member
	behind map[string]time.Time // by ID
}

// Update takes over the members that are alive.
func (l *List) Update(found map[string][]byte, own string, now time.Time) {
	all, newest := make([]Member, 0, len(found)), ""
	for id, text := range found {
		one := Member{ID: id, Own: id == own}
		if json.Unmarshal(text, &one.Info) != nil {
			continue // of another format
		}
		newest = max(newest, one.Calculated)
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
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
	l.all, l.behind = all, behind
}

// All returns the members, by name.
func (l *List) All() []Member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// Len returns the number of members.
func (l *List) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}
