// Package events keeps the latest changes in the state of the service that explain a
// change in its figures: a publish, an outage, a purge.
package events

import (
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

// Kind classifies events.
type Kind string

// The kinds of events.
const (
	Start       Kind = "start"           // this process began
	HandOver    Kind = "hand_over"       // a hand-over to another process
	Publish     Kind = "publish"         // a generation was published
	Outage      Kind = "outage"          // the database went down
	Back        Kind = "back"            // the database is back
	Purge       Kind = "purge"           // entries were purged; or purges of a cache in front fail, or succeed again
	Source      Kind = "source"          // the source of answers changed
	Maintenance Kind = "maintenance"     // maintenance mode was turned on
	Reopen      Kind = "maintenance_end" // maintenance mode was turned off
	Refused     Kind = "refused"         // an action of another proxy of the fleet was not done here
	Held        Kind = "held"            // new data is held back
	Alarm       Kind = "alarm"           // visitors get errors, wait, or soon may
	AlarmEnd    Kind = "alarm_end"       // they are served again
)

const (
	// Kept is the most events that a List keeps.
	Kept = 200
	// maxText limits the text of an event, in bytes: an error may be long.
	maxText = 300
)

// Event is a change at one moment.
type Event struct {
	At   time.Time
	Kind Kind
	Text string // for people
}

// List keeps the latest events. Its zero value is ready for use, and a nil List discards
// all events. It is safe for concurrent use.
type List struct {
	mu  sync.Mutex
	all []Event // the oldest first
}

// Add adds an event of this moment. It replaces the oldest event if the list is full.
func (l *List) Add(kind Kind, text string) {
	if l == nil {
		return
	}
	e := Event{time.Now(), kind, short(text)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == Kept {
		l.all = slices.Delete(l.all, 0, 1)
	}
	l.all = append(l.all, e)
}

// Restore puts the events of an earlier run before the others.
func (l *List) Restore(earlier []Event) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Concat(earlier, l.all)
	l.all = slices.Clone(all[max(0, len(all)-Kept):])
}

// All returns the events, the oldest first.
func (l *List) All() []Event {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// short cuts a text that is too long, between two characters.
func short(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
