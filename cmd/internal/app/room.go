package app

import (
	"log/slog"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/store"
)

const (
	// roomSettles is the time for which refusals are collected before they are logged:
	// concurrent reads are refused one after the other.
	roomSettles = time.Second
	// roomEvery is the minimum interval between log lines with the same number.
	roomEvery = 10 * time.Minute
)

// roomLog logs that the database grants fewer connections than configured: once
// for each lower number, and again after roomEvery.
type roomLog struct {
	log *slog.Logger

	mu      sync.Mutex
	pending bool
	last    store.Room
	least   int // lowest logged number
	logged  time.Time
}

// note is called for every refusal that lowers the number.
func (r *roomLog) note(room store.Room) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = room
	if !r.pending {
		r.pending = true
		time.AfterFunc(roomSettles, r.report)
	}
}

func (r *roomLog) report() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = false
	if r.logged.IsZero() || time.Since(r.logged) >= roomEvery {
		r.least = r.last.Wanted
	}
	if r.last.Granted >= r.least {
		return
	}
	r.least, r.logged = r.last.Granted, time.Now()
	r.log.Warn("the database grants fewer connections than DATABASE_MAX_CONNS; reads wait for the granted connections. "+
		"Lower DATABASE_MAX_CONNS, or raise MAX_USER_CONNECTIONS of the account or max_connections of the server",
		"granted", r.last.Granted, "wanted", r.last.Wanted, "error", r.last.Cause)
}
