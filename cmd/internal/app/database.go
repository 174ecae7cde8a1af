package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// checkTimeout limits one check of the database.
	checkTimeout = 5 * time.Second
	// The pause between two checks of a database that is down doubles from
	// firstPause to longestPause.
	firstPause, longestPause = 250 * time.Millisecond, 4 * time.Second
	// refusedPause is the pause between checks of a database that refuses the proxy: a
	// server may lock an account after repeated failures.
	refusedPause = 30 * time.Second
)

// OpenStore opens the store according to the settings.
func OpenStore(cfg config.Database, log *slog.Logger) (*store.Store, error) {
	return store.Open(store.Options{
		Host: cfg.Host, Port: cfg.Port, Socket: cfg.Socket,
		TLS:  store.TLS{Mode: store.TLSMode(cfg.TLS.Mode), CA: cfg.TLS.CA, Cert: cfg.TLS.Cert, Key: cfg.TLS.Key},
		Name: cfg.Name, User: cfg.User, Password: string(cfg.Password),
		MaxConns: cfg.MaxConns, StatementTimeout: cfg.StatementTimeout, SearchTimeout: cfg.SearchTimeout,
		OnRoom: (&roomLog{log: log}).note, Logger: log,
	}, cfg.ExtraColumns...)
}

// awaitDatabase checks the database until it meets the requirements, and calls usable
// after every check. It returns an error if only an operator can correct the failure,
// unless saved entries can be served meanwhile.
func (a *App) awaitDatabase(ctx context.Context, usable func()) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		check, cancel := context.WithTimeout(ctx, checkTimeout)
		err := a.store.Check(check)
		cancel()
		switch {
		case err == nil:
			a.databaseReady(ctx)
			usable()
			return nil
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrSetup):
			advice := Advice(err, a.cfg.Database)
			if !a.hasSaved() {
				return fmt.Errorf("%w; %s", err, advice)
			}
			pause = refusedPause
			a.log.Error("the database refuses the proxy: serving saved entries, trying again; "+advice, "error", err, "pause", pause)
		default:
			a.log.Warn("database not ready, trying again; check DATABASE_HOST and DATABASE_PORT, or DATABASE_SOCKET, if this goes on",
				"error", err, "pause", pause)
		}
		usable()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// hasSaved reports whether this process can serve saved entries without a database. A
// successor leaves that to its predecessor.
func (a *App) hasSaved() bool {
	if a.saved == 0 {
		return false
	}
	last := a.listener.Predecessor
	if last == nil {
		return true
	}
	select {
	case <-last.Gone():
		return true
	default:
		return false
	}
}

// databaseReady logs that the database meets the requirements, and compares the
// server's limits on connections with the settings.
func (a *App) databaseReady(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	a.logUnshown(asking)
	c, err := a.store.Capacity(asking)
	if err != nil {
		a.log.Info("database ready", "limits", err)
		return
	}
	limits := []any{"max_connections", c.Server, "in_use", c.Used, "max_user_connections", c.Account, "in_use_by_user", c.AccountUsed}
	a.log.Info("database ready", limits...)
	if room := c.Room(); room < c.Wanted {
		a.log.Warn("the database has no room for DATABASE_MAX_CONNS connections now", append(limits, "wanted", c.Wanted, "room", room)...)
	}
}

// logUnshown logs the columns that the lists omit: the old API may show them.
func (a *App) logUnshown(ctx context.Context) {
	unshown, err := a.store.Unshown(ctx)
	if err != nil {
		a.log.Info("the names of the tables' columns are not known", "error", err)
	}
	for table, columns := range unshown {
		a.log.Info("a table has columns that no answer shows; EXTRA_COLUMNS can add them", "table", table, "columns", strings.Join(columns, " "))
	}
}

// Advice returns the settings to check for an error of the database's set-up.
func Advice(err error, cfg config.Database) string {
	return adviceFor(store.ReasonOf(err), cfg.Socket != "")
}

// adviceFor returns the settings to check for a reason; socket is set with DATABASE_SOCKET.
func adviceFor(reason store.Reason, socket bool) string {
	switch reason {
	case store.Denied:
		if socket {
			return "check DATABASE_USER, DATABASE_PASSWORD and the host part of the account, which is localhost or % for DATABASE_SOCKET"
		}
		return "check DATABASE_USER, DATABASE_PASSWORD and the host part of the account, which must match the address in the server's message; " +
			"an account of @localhost may need DATABASE_SOCKET"
	case store.Blocked:
		return "the account is locked or its password has expired; unlock it, or check DATABASE_USER and DATABASE_PASSWORD"
	case store.NeedsTLS:
		return "the server or the account accepts encrypted connections only; set DATABASE_TLS to required or verify"
	case store.NoTLS:
		return "the server offers no TLS; check DATABASE_HOST and DATABASE_PORT, or set DATABASE_TLS to preferred or off"
	case store.BadCertificate:
		return "check DATABASE_TLS_CA, DATABASE_TLS_CERT and DATABASE_TLS_KEY, and that the server's certificate names DATABASE_HOST"
	}
	return "check DATABASE_NAME, DATABASE_USER, DATABASE_PASSWORD and the account's rights"
}
