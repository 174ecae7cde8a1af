// Package texts shares texts that each member of a fleet could make by itself from the same
// data, such as the sums of a table: one member makes a text for all.
package texts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	"github.com/lewistv/xcri-proxy/proxy/fleet/waits"
)

// lasts is the time for which a text is kept after it was made or confirmed.
const lasts = time.Hour

// mark is the first byte of a value in the level: see engine.Engine's Claim.
const mark = '1'

// Options configure Texts. All are required.
type Options struct {
	Engine engine.Engine
	// Ask runs an operation of the engine. It returns false if the level is away or full.
	Ask func(ctx context.Context, operation func(context.Context) error) (up bool)
	// Session returns a context that ends once the level is away; nil while it is.
	Session func() context.Context
	// Waits wakes the members that wait for a text.
	Waits *waits.Waits
	// ID identifies this member, and Maker the makers of equal texts.
	ID, Maker string
	// Lease is the time for which a member that dies keeps the others waiting.
	Lease time.Duration
}

// Texts are the texts of a fleet. It is safe for concurrent use.
type Texts struct{ opts Options }

// New returns Texts.
func New(o Options) *Texts { return &Texts{o} }

// Get returns the text of a name that any member has made. If there is none, it calls
// produce, and the members that want the text meanwhile wait for it. While the level is away
// each member calls produce.
func (t *Texts) Get(ctx context.Context, name string, produce func() ([]byte, error)) (text []byte, err error) {
	name, token := t.name(name), t.opts.ID+rand.Text()
	for ctx.Err() == nil {
		got, up := t.try(ctx, name, token)
		switch {
		case !up:
			return produce()
		case len(got.Value) > 0:
			return got.Value[1:], nil
		case got.Claimed:
			return t.produce(ctx, name, token, produce)
		}
	}
	return nil, ctx.Err()
}

// try looks a text up, or takes its lock. If another member has the lock, try waits for the
// text, the end of the lease, or the end of the session.
func (t *Texts) try(ctx context.Context, name, token string) (got engine.Claim, up bool) {
	filled, leave := t.opts.Waits.Join(name)
	defer leave()
	session := t.opts.Session()
	if session == nil || !t.opts.Ask(ctx, func(ctx context.Context) (err error) {
		got, err = t.opts.Engine.Claim(ctx, name, token, t.opts.Lease, false)
		return err
	}) {
		return got, false
	}
	if got.Claimed || len(got.Value) > 0 {
		return got, true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(session, cancel)()
	waits.Await(ctx, filled, got.Left)
	return got, true
}

// produce makes a text whose lock this member has, and shares it.
func (t *Texts) produce(ctx context.Context, name, token string, produce func() ([]byte, error)) ([]byte, error) {
	making, made := context.WithCancel(ctx)
	go waits.Renew(making, t.opts.Lease, func() {
		t.opts.Ask(making, func(ctx context.Context) error { return t.opts.Engine.Extend(ctx, name, token, t.opts.Lease) })
	})
	text, err := produce()
	made()
	if err == nil {
		t.put(ctx, name, token, text)
		return text, nil
	}
	t.opts.Ask(context.WithoutCancel(ctx), func(ctx context.Context) error { return t.opts.Engine.Release(ctx, name, token) })
	return nil, err
}

// Put replaces the text of a name.
func (t *Texts) Put(ctx context.Context, name string, text []byte) {
	t.put(ctx, t.name(name), "", text)
}

func (t *Texts) put(ctx context.Context, name, token string, text []byte) {
	t.opts.Ask(ctx, func(ctx context.Context) error {
		if len(text) >= engine.MostValue {
			return t.opts.Engine.Release(ctx, name, token)
		}
		return t.opts.Engine.Put(ctx, name, token, append([]byte{mark}, text...), lasts)
	})
}

// name returns the name of a text in the level. The part in braces keeps it and its lock in one
// slot of a cluster.
func (t *Texts) name(name string) string {
	sum := sha256.Sum256([]byte(t.opts.Maker + "\x00" + name))
	return "text:{" + hex.EncodeToString(sum[:16]) + "}"
}
