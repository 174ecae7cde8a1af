package recode

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/reads"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// store is a cache that serves some versions and records the forms that it is given.
type store struct {
	mu       sync.Mutex
	gone     map[string]bool
	replaced map[string]*entry.Entry
}

func (s *store) has(v *slot.Version) bool { return !s.gone[v.Key] }

func (s *store) replace(v *slot.Version, better *entry.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaced[v.Key] = better
}

func newVersion(key string) *slot.Version {
	return slot.NewVersion(&entry.Entry{Key: key, Content: entry.Content{Status: 200, Variants: []entry.Variant{{Body: []byte("{}")}}}}, reads.Moment{})
}

// A version that was added is replaced by its other form, unless there is none, it has
// left the cache meanwhile, or the form may not be stored. A panic costs one form.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &store{gone: map[string]bool{"gone": true}, replaced: map[string]*entry.Entry{}}
		r := New(Options{
			Recode: func(e *entry.Entry) []entry.Variant {
				switch e.Key {
				case "as it is":
					return nil
				case "panics":
					panic("no")
				case "empty":
					return []entry.Variant{}
				}
				return append(e.Variants[:1:1], entry.Variant{Coding: "br", Body: []byte("br")})
			},
			Check: func(c *entry.Content) error {
				if c.Scope == "refused" {
					return errors.New("no")
				}
				return nil
			},
			Has: s.has, Replace: s.replace, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.Run(ctx) })
		refused := newVersion("refused")
		refused.Scope = "refused"
		versions := []*slot.Version{newVersion("gone"), newVersion("as it is"), newVersion("panics"), newVersion("empty"), refused, newVersion("list")}
		for _, v := range versions {
			r.Add(v)
			synctest.Wait()
		}
		if e := s.replaced["list"]; len(s.replaced) != 1 || e == nil || len(e.Variants) != 2 || e.Status != 200 {
			t.Errorf("replaced: %v", s.replaced)
		}
		if r.Panics() != 1 || strings.Count(log.String(), "panic in a recoding") != 1 || strings.Count(log.String(), "recoding failed") != 2 {
			t.Errorf("%d panics:\n%s", r.Panics(), log.String())
		}
		cancel()
		running.Wait()
	})
}

// Add never waits: a version that finds the queue full keeps its form, and without
// Recode nothing is kept.
func TestAdd(t *testing.T) {
	r, v := New(Options{Recode: func(*entry.Entry) []entry.Variant { return nil }}), newVersion("list")
	for range queueLength + 10 {
		r.Add(v)
	}
	if len(r.queue) != queueLength {
		t.Errorf("%d are queued", len(r.queue))
	}
	none := New(Options{})
	if none.Add(v); len(none.queue) != 0 {
		t.Error("queued for nothing")
	}
}
