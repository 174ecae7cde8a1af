package redis

import (
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/rarely"
)

// damages counts the values that were removed, because no member can have written them.
type damages struct {
	damaged, logged atomic.Int64 // values, and values of which the log has a line
	lastDamage      rarely.Event // limits the log: another program may write as fast as it likes
}

// Damaged is a method of fleet.Engine.
func (e *Engine) Damaged() int64 { return e.damaged.Load() }

// removed counts the values of some names, and logs at most one of them a minute.
func (e *Engine) removed(names []string) {
	all := e.damaged.Add(int64(len(names)))
	if e.lastDamage.Now(time.Minute) {
		e.log.Warn("values in the shared level are damaged: removed", "name", names[0], "values", all-e.logged.Swap(all))
	}
}
