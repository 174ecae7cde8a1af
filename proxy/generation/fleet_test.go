package generation

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/store"
)

// peers are the other members of a fleet, whose part the test plays.
type peers struct {
	*fixture
	rounds   *agree.Rounds
	votes    chan agree.Vote
	decision agree.Decision
	decides  bool // with the first vote that is ready
}

// withPeers returns a watcher in a fleet. It has published the first generation and its warm
// set.
func withPeers(t *testing.T, keys ...string) *peers {
	t.Helper()
	p := newPeers(t, keys...)
	p.decides = true
	p.Once(t.Context())
	if v := <-p.votes; v.Step != agree.Ready || v.Name != calculated(1).ID() || v.After != "" {
		t.Fatalf("%+v", v)
	}
	return p
}

// newPeers returns a watcher in a fleet whose database has the first generation.
func newPeers(t *testing.T, keys ...string) *peers {
	t.Helper()
	p := &peers{fixture: newFixture(t, keys...), votes: make(chan agree.Vote, 100)}
	p.rounds = agree.New(agree.Options{
		Session: func() context.Context { return t.Context() },
		Cast: func(_ context.Context, v agree.Vote) (agree.Result, bool) {
			p.votes <- v
			if v.Step == agree.Ready && p.decides {
				p.decision = agree.Decision{Name: v.Name, Data: v.Data}
			}
			return agree.Result{Decision: p.decision, All: true}, true
		},
		Read:     func(context.Context) (agree.Decision, bool) { return p.decision, true },
		Announce: func(string) {},
		Hold:     func(text []byte) bool { return p.Hold(text) },
		Wake:     func() {},
		HoldTime: time.Minute,
	})
	p.opts.Rounds = p.rounds
	go p.rounds.Run(t.Context())
	p.generation.Store(calculated(1))
	return p
}

// eventually waits for a condition.
func eventually(t *testing.T, name string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", name)
		}
	}
}

// decide has the others decide for a generation.
func (p *peers) decide(t *testing.T, g *store.Generation) {
	t.Helper()
	text, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	p.decision = agree.Decision{Name: g.ID(), Data: text}
	p.rounds.Decided(g.ID())
	eventually(t, "the decision", func() bool { return p.rounds.Known() == g.ID() })
}

func (p *peers) has(t *testing.T, when string, g *store.Generation, published int64) {
	t.Helper()
	if now, _ := p.Published(); now.ID() != g.ID() || p.Status().Published != published {
		t.Errorf("%s: published %s, %d times; want %s, %d times", when, now.ID(), p.Status().Published, g.ID(), published)
	}
}

// TestAgree: a generation is published once the fleet has decided for it. A warm set that is
// prepared again needs no vote.
func TestAgree(t *testing.T) {
	p := withPeers(t, "/teams/")
	p.has(t, "first", calculated(1), 1)
	p.generation.Store(calculated(2))
	ready := p.Once(t.Context())
	p.has(t, "second", calculated(2), 2)
	if ready == 0 || len(p.votes) < 2 {
		t.Errorf("polls again in %s, %d votes", ready, len(p.votes))
	}
	for len(p.votes) > 0 {
		if v := <-p.votes; v.Step == agree.Ready && (v.Name != calculated(2).ID() || v.After != calculated(1).ID()) {
			t.Errorf("%+v", v)
		}
	}
	p.Refill()
	p.Once(t.Context())
	p.has(t, "refilled", calculated(2), 3)
	if len(p.votes) != 0 {
		t.Errorf("%+v", <-p.votes)
	}
}

// TestFollow: a member that is preparing when the fleet decides publishes with the others:
// requests for answers that it has not prepared are no hits. Then it prepares the rest.
func TestFollow(t *testing.T) {
	p := withPeers(t, "/snapshots/", "/metadata/latest")
	const slow = "/metadata/latest"
	p.isWarm(t, "first", slow)
	blocked, asked := make(chan struct{}), make(chan struct{}, 1)
	p.run = func(ctx context.Context, key string) (store.Answer, error) {
		if key == slow {
			select {
			case asked <- struct{}{}:
			default:
			}
			select {
			case <-blocked:
			case <-ctx.Done():
				return store.Answer{}, ctx.Err()
			}
		}
		return store.Answer{Generation: p.generation.Load().Of(store.Scope{})}, nil
	}
	p.generation.Store(calculated(2))
	ended := make(chan struct{})
	go func() { p.Once(t.Context()); close(ended) }()
	<-asked
	eventually(t, "the other answers", func() bool { s := p.Status(); return s.Keys > 0 && s.Done == s.Keys-1 })
	p.decide(t, calculated(2))
	<-ended
	p.has(t, "interrupted", calculated(1), 1)
	if p.Once(t.Context()) != 0 {
		t.Error("the poll is not repeated immediately")
	}
	p.has(t, "decided", calculated(2), 2)
	p.isWarm(t, "prepared before", "/snapshots/")
	if s := p.cache.Peek(&cache.Ref{Key: slow}); s.Outcome == cache.Hit {
		t.Error("an answer of the earlier generation is a hit")
	}
	close(blocked)
	p.Once(t.Context())
	p.has(t, "prepared", calculated(2), 3)
	p.isWarm(t, "prepared", slow)
}

// TestFollowUnknown: a member publishes a generation that it has not read from the database,
// but none that is older than its own, and none while polls are paused.
func TestFollowUnknown(t *testing.T) {
	p := withPeers(t)
	p.decide(t, calculated(3))
	p.Once(t.Context())
	p.has(t, "newer", calculated(3), 2)
	for range 3 { // the database is read again
		p.generation.Store(calculated(3))
		p.Once(t.Context())
	}
	p.decide(t, calculated(2))
	if p.rounds.Round() != nil {
		t.Error("it follows to an older generation")
	}
	p.paused.Store(true)
	p.decide(t, calculated(4))
	if p.rounds.Round() != nil {
		t.Error("it follows while polls are paused")
	}
}

// TestFollowBeforeTheWarmSet: a member that has no warm set yet follows a decision without
// one, and prepares it afterwards.
func TestFollowBeforeTheWarmSet(t *testing.T) {
	p := newPeers(t, "/teams/")
	text, err := json.Marshal(calculated(2))
	if err != nil {
		t.Fatal(err)
	}
	if p.Hold(text) {
		t.Error("it holds requests before it has read the database")
	}
	if _, err := p.ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.decide(t, calculated(2))
	p.generation.Store(calculated(2))
	if pause := p.Once(t.Context()); pause != 0 || p.rounds.Round() != nil {
		t.Errorf("polls again in %s, follows %+v", pause, p.rounds.Round())
	}
	p.has(t, "decided", calculated(2), 0)
	p.Once(t.Context())
	p.has(t, "prepared", calculated(2), 1)
	p.isWarm(t, "prepared", "/teams/")
}

// TestHeldRequests: from a decision on until its publish, a request does not get an answer
// that the decision makes stale.
func TestHeldRequests(t *testing.T) {
	p := withPeers(t, "/teams/")
	ref := &cache.Ref{Key: "/teams/"}
	if e, outcome := p.cache.Lookup(ref); e == nil || outcome != cache.Hit {
		t.Fatal(outcome)
	}
	p.decide(t, calculated(2))
	if e, outcome := p.cache.Lookup(ref); e != nil {
		t.Errorf("answered: %v", outcome)
	}
}

// TestVotesFail: a generation on whose publish the fleet does not agree is not published.
func TestVotesFail(t *testing.T) {
	p := withPeers(t)
	p.generation.Store(calculated(2))
	p.decides, p.decision = false, agree.Decision{Name: calculated(3).ID()} // of another member, not announced yet
	if pause := p.Once(t.Context()); pause != 0 {
		t.Errorf("polls again in %s", pause)
	}
	p.has(t, "outvoted", calculated(1), 1)
}

// TestEndWhileVoting: a member that ends while it waits for the votes of others publishes
// nothing.
func TestEndWhileVoting(t *testing.T) {
	p := withPeers(t)
	p.generation.Store(calculated(2))
	p.decides, p.decision = false, agree.Decision{Name: calculated(1).ID()}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { p.Once(ctx); close(ended) }()
	for v := range p.votes {
		if v.Name == calculated(2).ID() {
			break
		}
	}
	cancel()
	<-ended
	p.has(t, "ended", calculated(1), 1)
}
