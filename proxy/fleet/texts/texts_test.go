package texts_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
	"github.com/lewistv/xcri-proxy/proxy/fleet/texts"
	"github.com/lewistv/xcri-proxy/proxy/fleet/waits"
)

const lease = 2 * time.Second

// member is a member that shares texts.
type member struct {
	*texts.Texts
	made atomic.Int64
	end  context.CancelFunc // of its session
}

func join(t *testing.T, s *fleettest.Server, name, maker string) *member {
	e, w := s.Engine(), waits.New()
	session, end := context.WithCancel(t.Context())
	go e.Listen(session, func() {}, func(m engine.Message) {
		if m.Kind == engine.Filled {
			w.Filled(m.Text)
		}
	})
	m := &member{end: end}
	m.Texts = texts.New(texts.Options{
		Engine: e, Waits: w, ID: name, Maker: maker, Lease: lease,
		Session: func() context.Context {
			if session.Err() != nil {
				return nil
			}
			return session
		},
		Ask: func(ctx context.Context, operation func(context.Context) error) bool { return operation(ctx) == nil },
	})
	synctest.Wait()
	return m
}

// get returns the text of a name, which the member would make in a time.
func (m *member) get(t *testing.T, name, own string, takes time.Duration) string {
	t.Helper()
	text, err := m.Get(t.Context(), name, func() ([]byte, error) {
		m.made.Add(1)
		time.Sleep(takes)
		return []byte(own), nil
	})
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// TestOneMemberMakes: members that want a text concurrently wait for one of them, also longer
// than a lease, and later members get its text. Another name, and another maker, has another
// text.
func TestOneMemberMakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		var members []*member
		for i := range 3 {
			members = append(members, join(t, s, fmt.Sprint(i), "maker"))
		}
		var all sync.WaitGroup
		for _, m := range members {
			all.Go(func() {
				if got := m.get(t, "a", "text", 3*lease); got != "text" {
					t.Errorf("%q", got)
				}
			})
		}
		all.Wait()
		made := int64(0)
		for _, m := range members {
			made += m.made.Load()
		}
		late := join(t, s, "late", "maker")
		if got := late.get(t, "a", "own", 0); made != 1 || got != "text" || late.made.Load() != 0 {
			t.Errorf("made %d times, %d by a later member, which has %q", made, late.made.Load(), got)
		}
		if got := late.get(t, "b", "own", 0); got != "own" {
			t.Errorf("another name: %q", got)
		}
		if got := join(t, s, "other", "another maker").get(t, "a", "other", 0); got != "other" {
			t.Errorf("another maker: %q", got)
		}
		late.Put(t.Context(), "a", []byte("newer"))
		if got := members[0].get(t, "a", "own", 0); got != "newer" {
			t.Errorf("after Put: %q", got)
		}
	})
}

// TestMakerFails: after an error, which the caller gets, the next member makes the text.
func TestMakerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s, "a", "maker"), join(t, s, "b", "maker")
		fails := errors.New("no text")
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := a.Get(t.Context(), "name", func() ([]byte, error) { time.Sleep(time.Second); return nil, fails }); err != fails {
				t.Error(err)
			}
		})
		synctest.Wait()
		began := time.Now()
		if got := b.get(t, "name", "b's", 0); got != "b's" || time.Since(began) != time.Second {
			t.Errorf("%q after %s", got, time.Since(began))
		}
		all.Wait()
	})
}

// TestMakerDies: the lock of a member that dies ends with its lease.
func TestMakerDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		dead, m := join(t, s, "dead", "maker"), join(t, s, "m", "maker")
		ctx, kill := context.WithCancel(t.Context())
		forever := make(chan struct{})
		go dead.Get(ctx, "name", func() ([]byte, error) { <-forever; return nil, errors.New("never") })
		synctest.Wait()
		kill() // nothing renews the lease
		began := time.Now()
		if got := m.get(t, "name", "m's", 0); got != "m's" || time.Since(began) > lease+time.Second {
			t.Errorf("%q after %s", got, time.Since(began))
		}
		close(forever)
	})
}

// TestLevelAway: while the level is away each member makes a text, also members that wait
// for another when it goes. The end of the caller's context ends its wait.
func TestLevelAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s, "a", "maker"), join(t, s, "b", "maker")
		var all sync.WaitGroup
		all.Go(func() { a.get(t, "name", "a's", time.Minute) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Get(ctx, "name", nil); err != context.DeadlineExceeded {
			t.Error(err)
		}
		time.AfterFunc(time.Second, func() { s.Fail(fleettest.Down); b.end() })
		began := time.Now()
		if got := b.get(t, "name", "b's", 0); got != "b's" || time.Since(began) != time.Second {
			t.Errorf("%q after %s", got, time.Since(began))
		}
		if got := b.get(t, "name", "again", 0); got != "again" {
			t.Errorf("then %q", got)
		}
		all.Wait()
	})
}

// TestNoRoom: a text that finds no room in the level is the text of its maker.
func TestNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		m := join(t, s, "m", "maker")
		s.Fail(fleettest.Full)
		if got := m.get(t, "name", "own", 0); got != "own" {
			t.Errorf("%q", got)
		}
		if n := len(s.Values()); n != 0 {
			t.Errorf("%d values", n)
		}
	})
}

// TestValues: a value has a first byte that marks it as sure, and an empty text is a text.
func TestValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		m := join(t, s, "m", "maker")
		m.get(t, "name", "", 0)
		for name, value := range s.Values() {
			if !bytes.Equal(value, []byte("1")) {
				t.Errorf("%s: %q", name, value)
			}
		}
		if got := m.get(t, "name", "own", 0); got != "" || m.made.Load() != 1 {
			t.Errorf("%q, made %d times", got, m.made.Load())
		}
	})
}
