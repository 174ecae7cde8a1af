package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
)

// openStore makes the store of the settings.
func openStore(cfg config.Database, log *slog.Logger) (*store.Store, error) {
	return store.Open(store.Options{
		Host: cfg.Host, Port: cfg.Port, Socket: cfg.Socket,
		Name: cfg.Name, User: cfg.User, Password: string(cfg.Password),
		MaxConns: cfg.MaxConns, StatementTimeout: cfg.StatementTimeout,
		OnRoom: (&roomLog{log: log}).note, Logger: log,
	})
}

// awaitDatabase checks the database until it is as needed. It gives up on what
// only a person can mend, and calls usable after every check that found no such
// failure.
func (a *App) awaitDatabase(ctx context.Context, usable func()) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		look, cancel := context.WithTimeout(ctx, checkTimeout)
		err := a.store.Check(look)
		cancel()
		switch {
		case err == nil:
			a.log.Info("database ready")
			usable()
			return nil
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrSetup):
			return fmt.Errorf("%w; check DATABASE_NAME, DATABASE_USER, DATABASE_PASSWORD and the account's rights", err)
		}
		a.log.Warn("database not ready, trying again; check DATABASE_HOST and DATABASE_PORT, or DATABASE_SOCKET, if this goes on",
			"error", err, "pause", pause)
		usable()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}
