package fleet

import (
	"context"
	"maps"
	"time"

	memberlist "github.com/lewistv/xcri-proxy/proxy/fleet/members"
)

const (
	// lasts is the time after its last heartbeat for which a member counts as alive.
	lasts = 5 * time.Second
	// listed is the number of members that a member reads for each of its heartbeats. A
	// larger fleet is listed less often: otherwise the bytes that the server sends would grow
	// with the square of its size.
	listed = 50
)

// Info describes a member to the others, Member is a member that is alive, and Gone a member
// that is not and has not left. See package members.
type (
	Info   = memberlist.Info
	Member = memberlist.Member
	Gone   = memberlist.Gone
)

// members are the members that are alive.
type members struct {
	memberlist.List
	rest     int  // heartbeats before the next that lists the members; only the session uses it
	reported bool // a heartbeat has arrived since the start
	// others reports whether the last list had other members. A list without others from a
	// young session does not count: they may still return.
	others bool
}

// beat reports to the other members that this member is alive. If a list is due, it reads
// the members.
func (f *Fleet) beat(ctx context.Context, s *session) {
	r := memberlist.Report{ID: f.id, Info: f.opts.Info().Encode(), Lasts: lasts, First: !f.members.reported, List: f.members.rest <= 0}
	var found map[string]memberlist.Heard
	err := f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) (err error) {
		found, err = f.opts.Engine.Beat(ctx, r)
		return err
	})
	f.members.reported = f.members.reported || err == nil
	switch {
	case err == ErrFull: // no member can report
		f.members.Update(map[string]memberlist.Heard{f.id: {Info: r.Info}}, f.id, time.Now())
	case err != nil:
	case r.List:
		if s.young() {
			maps.DeleteFunc(found, func(_ string, m memberlist.Heard) bool { return m.Gone })
		}
		if n := f.members.Update(found, f.id, time.Now()); n > 0 {
			f.figures.damaged.Add(int64(n))
			f.opts.Logger.Warn("reports of members are not understood: ignored", "reports", n)
		}
		f.members.rest = (len(found) - 1) / listed
		if n := f.members.Len(); n > 1 || !s.young() {
			f.members.others = n > 1
		}
	default:
		f.members.rest--
	}
}

// Members returns the members that were alive at the last heartbeat, by name. It returns
// this member alone while the level is away.
func (f *Fleet) Members() []Member {
	if f.link.now.Load() == nil {
		return []Member{{ID: f.id, Info: f.opts.Info(), Own: true}}
	}
	return f.members.All()
}

// Gone returns the members that are not alive and have not left, by name, each for ten minutes;
// none while the level is away.
func (f *Fleet) Gone() []Gone {
	if f.link.now.Load() == nil {
		return nil
	}
	return f.members.Gone()
}

// Alive does the same as Members, but returns nil while the level is away. It does not call
// Options.Info, which may call Alive.
func (f *Fleet) Alive() []Member {
	if f.link.now.Load() == nil {
		return nil
	}
	return f.members.All()
}
