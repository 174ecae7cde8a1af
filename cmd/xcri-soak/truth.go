package main

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-soak/internal/judge"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// truth makes all changes of the database, and computes the right answer of each key in
// each state. It applies a change to a twin of the database first, which no fault
// reaches, and reads all answers there. Its methods except old must not run concurrently.
type truth struct {
	record *judge.Record
	router *route.Router
	keys   map[string]store.Query
	source store.Options // of the twin
	twin   *sql.DB
	real   *sql.DB
	number int                                      // of the last state
	now    atomic.Pointer[map[string]oldapi.Answer] // of the last committed state
	note   func(format string, args ...any)
}

// newTruth reads the answers to targets from the twin. Targets that are no question of
// the API are left out.
func newTruth(ctx context.Context, twin, served *mariadb.Server, targets []string, late time.Duration) (t *truth, err error) {
	t = &truth{record: judge.New(late), router: route.NewRouter(store.Endpoints(), ""), keys: map[string]store.Query{}}
	for _, target := range targets {
		q, err := t.router.Resolve(target)
		if err == nil && q.Route.Path() != route.HealthPath && q.Route.Path() != "/" {
			t.keys[q.Key] = q.Query
		}
	}
	t.source = store.Options{Socket: twin.Socket, Name: mariadb.Database, User: mariadb.Reader, Password: mariadb.Password}
	if t.twin, err = twin.Root(mariadb.Database); err != nil {
		return nil, err
	}
	if t.real, err = served.Root(mariadb.Database); err != nil {
		return nil, err
	}
	for _, db := range []*sql.DB{t.twin, t.real} {
		for _, s := range []string{"CREATE DATABASE soak", "CREATE TABLE soak.state (number INT NOT NULL)", "INSERT INTO soak.state VALUES (0)"} {
			if _, err := db.ExecContext(ctx, s); err != nil {
				return nil, err
			}
		}
	}
	state, answers, err := t.read(ctx, "the start")
	if err != nil {
		return nil, err
	}
	t.record.Begin(state)
	t.record.Committed()
	t.now.Store(&answers)
	return t, nil
}

func (t *truth) close() {
	t.twin.Close()
	t.real.Close()
}

// read reads the twin's state.
func (t *truth) read(ctx context.Context, name string) (judge.State, map[string]oldapi.Answer, error) {
	source, err := store.Open(t.source) // a new Store has no cached totals of earlier states
	if err != nil {
		return judge.State{}, nil, err
	}
	defer source.Close()
	answers := make(map[string]oldapi.Answer, len(t.keys))
	s := judge.State{Name: fmt.Sprintf("%d %s", t.number, name), Keys: make(map[string]judge.Key, len(t.keys))}
	g, err := source.Generation(ctx)
	if err != nil {
		return s, nil, err
	}
	s.Generation = g.ID()
	for key, q := range t.keys {
		a, err := source.Run(ctx, q)
		if err != nil {
			return s, nil, fmt.Errorf("%s: %w", key, err)
		}
		answers[key] = oldapi.Answer{Status: a.Status, Body: string(a.Body)}
		s.Keys[key] = judge.Key{Answer: judge.AnswerOf(a.Status, a.Body), Generation: g.Of(q.Scope())}
	}
	return s, answers, nil
}

// commit changes both databases by the same statements in one transaction, or in
// several of one statement if a statement commits by itself.
func (t *truth) commit(ctx context.Context, name string, statements ...string) error {
	t.number++
	statements = append(statements, fmt.Sprintf("UPDATE soak.state SET number = %d", t.number))
	if err := apply(ctx, t.twin, statements); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	state, answers, err := t.read(ctx, name)
	if err != nil {
		return err
	}
	t.note("state %s", state.Name)
	t.record.Begin(state)
	for {
		err := apply(ctx, t.real, statements)
		for err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			time.Sleep(50 * time.Millisecond)
			// A connection may be lost before the commit or after it.
			var number int
			if t.real.QueryRowContext(ctx, "SELECT number FROM soak.state").Scan(&number) != nil {
				continue
			}
			if number == t.number {
				err = nil
			}
			break
		}
		if err == nil {
			break
		}
		t.note("repeats the change: %v", err)
	}
	t.now.Store(&answers)
	t.record.Committed()
	return nil
}

func apply(ctx context.Context, db *sql.DB, statements []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // no effect after Commit
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%.80s: %w", s, err)
		}
	}
	return tx.Commit()
}

// old answers as the old API does, from the same database.
func (t *truth) old(target string) oldapi.Answer {
	q, err := t.router.Resolve(target)
	if err != nil {
		return oldapi.Answer{}
	}
	return (*t.now.Load())[q.Key]
}
