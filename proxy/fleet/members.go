package fleet

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// lasts is the time after its last heartbeat for which a member counts as alive.
	lasts = 5 * time.Second
	// listed is the number of members that a member reads for each of its heartbeats. A
	// larger fleet is listed less often: otherwise the bytes that the server sends would grow
	// with the square of its size.
	listed = 50
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

// members are the members that are alive.
type members struct {
	mu     sync.Mutex
	all    []Member
	behind map[string]time.Time // by ID
	rest   int                  // heartbeats before the next that lists the members; for the session alone
}

// beat reports to the other members that this member is alive. If a list is due, it reads
// which others are.
func (f *Fleet) beat(ctx context.Context, s *session) {
	text, err := json.Marshal(f.opts.Info())
	if err != nil {
		return
	}
	list := f.members.rest <= 0
	var found map[string][]byte
	err = f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) (err error) {
		found, err = f.opts.Engine.Beat(ctx, f.id, text, lasts, list)
		return err
	})
	switch {
	case err == ErrFull: // no member can report
		f.members.update(map[string][]byte{f.id: text}, f.id, time.Now())
	case err != nil:
	case list:
		f.members.update(found, f.id, time.Now())
		f.members.rest = (len(found) - 1) / listed
	default:
		f.members.rest--
	}
}

// update takes over the members that are alive.
func (m *members) update(found map[string][]byte, own string, now time.Time) {
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
	m.mu.Lock()
	defer m.mu.Unlock()
	behind := map[string]time.Time{}
	for i := range all {
		if one := &all[i]; one.Calculated != newest {
			behind[one.ID] = now
			if since, ok := m.behind[one.ID]; ok {
				behind[one.ID] = since
			}
			one.Behind = behind[one.ID]
		}
	}
	m.all, m.behind = all, behind
}

// Members returns the members that were alive at the last heartbeat, by name. It returns
// this member alone while the level is away.
func (f *Fleet) Members() []Member {
	if f.link.now.Load() == nil {
		return []Member{{ID: f.id, Info: f.opts.Info(), Own: true}}
	}
	f.members.mu.Lock()
	defer f.members.mu.Unlock()
	return slices.Clone(f.members.all)
}
