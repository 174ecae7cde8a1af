package pool

import (
	"context"
	"database/sql/driver"
)

// Room reports that the server grants fewer connections than configured.
type Room struct {
	Wanted  int   // Options.MaxConns
	Granted int   // the limit from now on
	Cause   error // the server's refusal
}

// shrink lowers the limit after the server has refused a connection.
func (p *Pool) shrink(granted int, cause error) {
	if limit, shrunk := p.gate.Shrink(granted); shrunk {
		p.opts.OnRoom(Room{Wanted: p.opts.MaxConns, Granted: limit, Cause: cause})
	}
}

// Capacity holds the server's limits on connections and their current use.
type Capacity struct {
	Wanted       int // Options.MaxConns
	Server, Used int // max_connections, and how many are open, of all accounts
	// Account and AccountUsed are max_user_connections, where zero means no
	// limit, and how many connections of our account are open.
	Account, AccountUsed int
	Ours                 int // how many of these are of this pool
}

// Room returns the number of connections that this pool could have.
func (c Capacity) Room() int {
	free := c.Server - c.Used
	if c.Account > 0 {
		free = min(free, c.Account-c.AccountUsed)
	}
	return min(c.Ours+max(free, 0), c.Wanted)
}

// Capacity queries the server for its limits.
func (p *Pool) Capacity(ctx context.Context) (Capacity, error) {
	return Poll(ctx, p, "read the limits on connections", func(c *Conn) (Capacity, error) {
		all := Capacity{Wanted: p.opts.MaxConns, Ours: p.Stats().Open}
		for _, q := range []struct {
			text string
			into *int
		}{
			{"SELECT @@max_connections", &all.Server},
			{"SELECT @@max_user_connections", &all.Account},
			{"SHOW GLOBAL STATUS LIKE 'Threads_connected'", &all.Used},
		} {
			err := c.Rows(q.text, nil, func(row []driver.Value) error {
				*q.into = int(asInt(row[len(row)-1]))
				return nil
			})
			if err != nil {
				return all, err
			}
		}
		return all, c.link.threads(c.ctx, func(_ int64, user, _ string) {
			if user == p.opts.User {
				all.AccountUsed++
			}
		})
	})
}
