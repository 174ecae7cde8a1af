package lasting

import (
	"slices"

	"github.com/lewistv/xcri-proxy/proxy/fleet/actions"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// Follower applies the lasting actions of a fleet to the sources and the maintenance mode
// of a proxy. All fields are required.
type Follower struct {
	Routes  *route.Router
	Origins *origin.Origins
	Mode    *maintenance.Mode
	// Moved follows a change of sources by another member. Set begins a period, or ends the
	// present one with nil. Their errors report that the change is not kept for the next run.
	Moved func(routes []*route.Route, by string) error
	Set   func(next *maintenance.Period, by string) error
	// Report reports that an action of another member was done, or why not. unkept is an
	// error of Moved or Set.
	Report func(a actions.Action, unkept, err error)
}

// Settle sets the state that follows from all actions. News are the actions among them that this
// proxy learns now. A state that holds already is neither set nor reported.
func (f *Follower) Settle(all, news []actions.Action) {
	var unkept error
	if a := newest(news, actions.Source); a != nil {
		moved, err := f.Origins.Replace(Sources(all, f.Routes))
		if moved != nil {
			unkept = f.Moved(moved, a.By)
		}
		if moved != nil || err != nil {
			f.Report(*a, unkept, err)
		}
	}
	if a := newest(news, actions.Maintenance); a != nil {
		next, err := Maintenance(all)
		if err == nil && Unchanged(next, f.Mode.Period()) {
			return
		}
		if err == nil {
			unkept = f.Set(next, a.By)
		}
		f.Report(*a, unkept, err)
	}
}

// newest returns the last action of a kind; nil if there is none.
func newest(all []actions.Action, kind string) *actions.Action {
	for i, a := range slices.Backward(all) {
		if a.Kind == kind {
			return &all[i]
		}
	}
	return nil
}
