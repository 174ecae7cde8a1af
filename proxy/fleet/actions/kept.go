package actions

import (
	"crypto/rand"
	"encoding/json"
	"slices"
)

// mostPending limits the pending actions, of which a file holds the texts.
const mostPending = 64

// everything is the data of a Purge of all entries.
var everything = json.RawMessage(`{"all":true}`)

// Kept is the part of a Log with which the next run of its member continues.
type Kept struct {
	// Lasting and Local are the lasting actions of the fleet, and of this member alone.
	Lasting []Action `json:"lasting,omitempty"`
	Local   []Action `json:"local,omitempty"`
	// Pending are the actions of this member that are not in the log yet.
	Pending []Action `json:"pending,omitempty"`
}

// restore continues with the work of an earlier run.
func (l *Log) restore(k Kept) {
	l.fleet, l.local = merge(l.opts.Parts, k.Lasting), merge(l.opts.Parts, k.Local)
	l.pending = slices.DeleteFunc(slices.Clone(k.Pending), func(a Action) bool { return a.Kind == "" || a.Kind == known })
	l.kept = l.present().text()
}

// present returns the Kept of this moment.
func (l *Log) present() Kept {
	pending := slices.DeleteFunc(slices.Clone(l.pending), func(a Action) bool { return a.Kind == known })
	return Kept{Lasting: l.fleet, Local: l.local, Pending: pending}
}

func (k Kept) text() string {
	text, _ := json.Marshal(k) // actions have a text
	return string(text)
}

// keep saves the Kept for the next run if it has changed since the last save that succeeded.
// The caller holds mu.
func (l *Log) keep() error {
	now := l.present()
	text := now.text()
	if text == l.kept {
		return nil
	}
	if err := l.opts.Keep(now); err != nil {
		return err
	}
	l.kept = text
	return nil
}

// next returns the next action to send, and drops the pending actions that have no effect any
// more, because of later actions of the fleet. The caller holds mu.
func (l *Log) next() (a Action, ok bool) {
	before := len(l.pending)
	l.pending = slices.DeleteFunc(l.pending, func(a Action) bool { return lasts(a.Kind) && !l.fleet.has(a) })
	if len(l.pending) < before {
		l.take(l.text)
	}
	switch {
	case len(l.pending) > 0:
		return l.pending[0], true
	case l.behind():
		return Action{Kind: restored, By: l.opts.Name()}, true
	}
	return a, false
}

// bound keeps the pending actions below their limit: first it removes actions that a later
// action repeats, then it replaces all but the lasting by a purge of everything.
func (l *Log) bound() {
	if len(l.pending) <= mostPending {
		return
	}
	repeated := map[string]bool{}
	kept := l.pending[:0:0]
	for _, a := range slices.Backward(l.pending) {
		what := a.Kind + string(a.Data)
		if !repeated[what] {
			kept = append(kept, a)
		}
		repeated[what] = true
	}
	slices.Reverse(kept)
	if len(kept) > mostPending {
		kept = slices.DeleteFunc(kept, func(a Action) bool { return !lasts(a.Kind) || !l.fleet.has(a) })
		kept = append(kept, Action{Kind: Purge, Data: everything, By: l.opts.Name(), Series: rand.Text()})
	}
	l.pending = kept
}
