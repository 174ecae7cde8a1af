package actions

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// mostLasting limits the lasting actions that a member knows. There are fewer parts.
const mostLasting = 64

// lasts reports whether the effect of actions of a kind lasts: the sources and the maintenance
// mode of a member follow from its lasting actions alone, in the order of their times.
func lasts(kind string) bool { return kind == Source || kind == Maintenance }

// list is a list of lasting actions by their times, without actions that have no effect because
// of later actions. Lists of the same actions are equal, in any order of their merges.
type list []Action

// merge returns the list of the actions of all lists. parts returns the parts that a change
// of sources changes; empty means all.
func merge(parts func(data json.RawMessage) []string, lists ...[]Action) list {
	var all list
	for _, a := range slices.Concat(lists...) {
		if a, ok := normal(a); ok {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, order)
	all = slices.CompactFunc(all, same)
	later := map[string]bool{} // kinds, and parts, that later actions change
	kept := all[:0:0]
	for _, a := range slices.Backward(all) {
		changes := []string{a.Kind}
		if a.Kind == Source {
			for i, part := range parts(a.Data) {
				changes = append(changes[:i], Source+" "+part)
			}
		}
		if later[a.Kind] || !slices.ContainsFunc(changes, func(c string) bool { return !later[c] }) {
			continue
		}
		for _, c := range changes {
			later[c] = true
		}
		kept = append(kept, a)
	}
	slices.Reverse(kept)
	return kept[max(0, len(kept)-mostLasting):]
}

// latest is a bound of the times that a list takes: JSON has no later years than 9999.
var latest = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

// normal returns an action as a list has it; false if the action is of no list.
func normal(a Action) (Action, bool) {
	var data bytes.Buffer
	if !lasts(a.Kind) || !a.At.Before(latest) || len(a.Data) > 0 && json.Compact(&data, a.Data) != nil {
		return a, false
	}
	return Action{Kind: a.Kind, Data: data.Bytes(), By: a.By, At: a.At.UTC().Truncate(time.Millisecond)}, true
}

// order compares normal actions by their times. Only the same actions are equal.
func order(a, b Action) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.By, b.By), cmp.Compare(a.Kind, b.Kind), bytes.Compare(a.Data, b.Data))
}

func same(a, b Action) bool { return order(a, b) == 0 }

// has reports whether an action is in the list.
func (l list) has(a Action) bool {
	a, ok := normal(a)
	return ok && slices.ContainsFunc(l, func(one Action) bool { return same(one, a) })
}

// text returns the text of a list, which is empty for an empty list.
func (l list) text() string {
	if len(l) == 0 {
		return ""
	}
	text, _ := json.Marshal(l) // normal actions have a text
	return string(text)
}

// parseList returns the actions of a text; none if it is not understood.
func parseList(text []byte) (all []Action) {
	if json.Unmarshal(text, &all) != nil {
		return nil
	}
	return all
}

// lasting are the lasting actions that a member knows.
type lasting struct {
	fleet list   // of the fleet
	local list   // of this member alone
	level string // the text of the fleet's list in the level, as far as this member knows
	kept  string // the text of the last Kept that was saved
}

// effective returns the actions from which the state of this member follows.
func (l *Log) effective() list { return merge(l.opts.Parts, l.fleet, l.local) }

// behind reports whether the level lacks a lasting action that this member knows.
func (l *Log) behind() bool { return len(l.fleet) > 0 && l.fleet.text() != l.level }

// time returns the time of a lasting action that is made now: later than all actions that this
// member knows, although the clock of another member may be ahead.
func (l *Log) time() time.Time {
	now := time.Now().UTC().Truncate(time.Millisecond)
	for _, a := range slices.Concat(l.fleet, l.local) {
		if !now.After(a.At) {
			now = a.At.Add(time.Millisecond)
		}
	}
	return now
}

// note adds an action that this member has done.
func (l *Log) note(a Action, alone bool) {
	if alone {
		l.local = merge(l.opts.Parts, l.local, []Action{a})
	} else {
		l.fleet = merge(l.opts.Parts, l.fleet, []Action{a})
	}
	l.prune(l.effective())
}

// hear adds actions of the fleet. Unless they have no effect, or are known, this member's
// state follows them.
func (l *Log) hear(heard []Action) {
	before := l.effective()
	l.fleet = merge(l.opts.Parts, l.fleet, heard)
	all := l.effective()
	l.prune(all)
	news := slices.DeleteFunc(slices.Clone(all), before.has)
	if len(news) > 0 {
		l.opts.Settle(all, news)
	}
}

// prune removes the local actions that have no effect any more.
func (l *Log) prune(effective list) {
	l.local = slices.DeleteFunc(l.local, func(a Action) bool { return !effective.has(a) })
}

// reconcile compares the list of the level with this member's. If the level's lacks an action,
// send adds it.
func (l *Log) reconcile(level string) {
	l.level = level
	l.hear(parseList([]byte(level)))
}

// lastingOf returns the lasting actions of an event.
func lastingOf(a Action) []Action {
	switch {
	case lasts(a.Kind):
		return []Action{a}
	case a.Kind == restored:
		return parseList(a.Data)
	}
	return nil
}
