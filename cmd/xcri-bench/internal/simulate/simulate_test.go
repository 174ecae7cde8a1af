package simulate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/level"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/redis"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
)

const patience = time.Minute

// TestRealMembers holds that fleets of 1, 2 and 4 members on a Redis do the simulated work
// for an import: the same fills, lookups that wait, comparisons and messages, and requests
// and bytes within 10 %.
func TestRealMembers(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			o := Options{Members: n, Poll: time.Second, Window: time.Minute, Seed: 1, Model: Production()}
			o.Changed, o.Warm, o.Value, o.Recode, o.Fill = 8, 12, 60_000, 0, time.Second
			o.Generation, o.Wanted, o.Tables = 0, 0, 0 // the members do not vote, and want nothing
			want := Import(o)
			got, waits := onRedis(t, o)
			if want.Fills != o.Changed || want.Waits != waits || waits != (n-1)*o.Changed || want.Published != n {
				t.Errorf("simulated %+v; waits of the members: %d", want, waits)
			}
			if messages := int(got.Calls["publish"]) * n; messages != want.Messages-n*(want.Announces+2) { // two for the votes
				t.Errorf("%d messages, simulated %d", messages, want.Messages)
			}
			if heads := int(got.Calls["getrange"]); heads != n*o.Warm {
				t.Errorf("%d comparisons", heads)
			}
			within(t, "requests", float64(got.Requests()-got.Beats()), float64(want.Requests-want.Votes-want.Decisions-want.Announces-want.Wants))
			// The windows differ: heartbeats do not count.
			within(t, "bytes", float64(got.In+got.Out)-bytesOfBeats(int(got.Beats()), n), want.Bytes-bytesOfBeats(want.Beats, n))
		})
	}
}

func within(t *testing.T, what string, counted, simulated float64) {
	t.Helper()
	ratio := counted / simulated
	t.Logf("%s: counted %.0f, simulated %.0f, ratio %.2f", what, counted, simulated, ratio)
	if math.Abs(ratio-1) > 0.1 {
		t.Errorf("%s: counted %.0f, simulated %.0f", what, counted, simulated)
	}
}

// bytesOfBeats returns the bytes of heartbeats and comparisons of the log, half of each, in a
// small fleet of n members, which every heartbeat lists.
func bytesOfBeats(count, n int) float64 {
	return float64(count) / 2 * (syncIn + syncOut + beatIn + emptyOut + float64(memberOut*n))
}

// generation is a generation of all keys.
type generation string

func (g generation) ID() string                { return string(g) }
func (g generation) Holds(e *cache.Entry) bool { return e.Generation == string(g) }

// onRedis runs members on a Redis: each prepares the changed answers, and then offers all of
// them. A fill ends once all other members wait for it.
func onRedis(t *testing.T, o Options) (level.Counts, int) {
	s := redisserver.Start(t)
	var members []*fleet.Fleet
	var publishing atomic.Int64 // members that offer their answers
	var keys []string
	answers := map[string]*cache.Saved{}
	for i := range o.Warm {
		key := fmt.Sprintf("/%d", i)
		keys = append(keys, key)
		answers[key] = &cache.Saved{Key: key, Content: cache.Content{
			Status: 200, Size: o.Value, Scope: "s", Generation: "2", Variants: []cache.Variant{{ETag: []byte(`"t"`), Body: make([]byte, o.Value-250)}},
		}}
	}
	for i := range o.Members {
		engine, err := redis.New(redis.Options{URL: s.URL, Timeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		f := fleet.New(fleet.Options{
			Engine: engine, Maker: "test", Budget: patience,
			Info: func() fleet.Info { return fleet.Info{Name: "member", Version: "v1", Generation: "2"} },
			State: func(g cache.Generation, _ string) fleet.State {
				return fleet.State{Generation: g.ID(), Data: "d", Sure: true, Settled: true}
			},
			Usable: func(*cache.Saved) bool { return true }, Rank: func(*cache.Content) int { return 1 },
			Published: func() cache.Generation { return generation("2") },
			Apply:     func(fleet.Action) {}, Forget: func() {},
			Warm: func() []string {
				if int(publishing.Load()) > i {
					return keys
				}
				return nil
			},
			Fresh: func(key string) *cache.Entry { return &cache.Entry{Key: key, Content: answers[key].Content} },
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { f.Run(ctx); close(ended) }()
		t.Cleanup(func() { stop(); <-ended; engine.Close() })
		eventually(t, "the link", func() bool { return f.Stats().Up })
		members = append(members, f)
	}
	// The first call of each script sends it.
	_, done := members[0].Claim(t.Context(), generation("1"), keys[0])
	done(&cache.Saved{Key: keys[0], Content: cache.Content{Status: 200, Scope: "s", Generation: "1"}})
	eventually(t, "the first value", func() bool { return members[0].Stats().Puts == 1 })
	before := counts(t, s)
	var all sync.WaitGroup
	for _, f := range members {
		for w := range workers {
			all.Go(func() {
				for i := w; i < o.Changed; i += workers {
					found, done := f.Claim(t.Context(), generation("2"), keys[i])
					if found == nil {
						// The workers of all members are at the same round of answers.
						eventually(t, "the other members", func() bool { return awaits(members) >= (o.Members-1)*workers*(i/workers+1) })
						done(answers[keys[i]])
					}
				}
			})
		}
	}
	all.Wait()
	for _, f := range members { // one after the other, as members begin at different times
		publishing.Add(1)
		for _, key := range keys {
			eventually(t, "the offers", func() bool { return f.Has(generation("2"), key) })
		}
	}
	return counts(t, s).Minus(before), awaits(members)
}

// awaits counts the lookups that have waited for another member.
func awaits(members []*fleet.Fleet) (n int) {
	for _, f := range members {
		n += int(f.Stats().Waits)
	}
	return n
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%s: not in a minute", what)
			return
		}
	}
}

func counts(t *testing.T, s *redisserver.Server) level.Counts {
	t.Helper()
	c, err := level.Parse(s.Do("INFO", "commandstats") + "\n" + s.Do("INFO", "stats"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSameSeed holds that a seed decides a run, and that each import is filled once in a
// fleet of any size that the level can serve.
func TestSameSeed(t *testing.T) {
	for _, n := range []int{1, 3, 40} {
		o := Options{Members: n, Poll: 250 * time.Millisecond, Window: time.Minute, Seed: 7, Model: Production()}
		a, b := Import(o), Import(o)
		o.Seed++
		other := Import(o)
		if a != b || a == other || a.Fills != o.Changed || a.Published != n || a.Last < a.First {
			t.Errorf("%d members: %+v, %+v, %+v", n, a, b, other)
		}
	}
}

// TestVotes holds the work of a publish: each member votes twice, and reads the decision unless
// its vote shows it. All publish within the time of a message. A member that has prepared
// nothing 2 s after the first publishes with the others.
func TestVotes(t *testing.T) {
	for _, n := range []int{1, 2, 8} {
		o := Options{Members: n, Poll: time.Second, Window: 10 * time.Second, Seed: 1, Model: Production()}
		r := Import(o)
		if r.Votes != 2*n || r.Decisions < 1 || r.Decisions > n || r.Announces != 1 || r.Published != n || r.Last-r.First > time.Millisecond {
			t.Errorf("%d members: %+v", n, r)
		}
		if want := o.Tables * (1 + n + (n - 1)); r.Sums != want {
			t.Errorf("%d members: %d requests for sums, want %d", n, r.Sums, want)
		}
	}
	o := Options{Members: 3, Poll: time.Second, Window: 10 * time.Second, Seed: 1, Model: Production()}
	r := &run{Options: o, random: rand.New(rand.NewPCG(1, 0))}
	r.level = server{run: r}
	for range o.Members {
		r.members = append(r.members, &member{run: r})
	}
	r.members[0].vote(false)
	r.until()
	if r.Published != 3 || r.First < readyTime || r.Last > readyTime+holdTime || r.Votes != 2+3 || r.Decisions < 2 || r.Decisions > 3 {
		t.Errorf("%+v", r.Result)
	}
}

// TestVisitors holds that more members cost the level more lookups and the database no more
// reads, and that no work exceeds the requests.
func TestVisitors(t *testing.T) {
	v := Visitors{Rate: 100, Pages: 1000, Bytes: 10_000, After: time.Minute}
	var loads []Load
	for _, n := range []int{1, 10, 1000} {
		v.Members = n
		loads = append(loads, v.Load())
	}
	if !slices.IsSortedFunc(loads, func(a, b Load) int { return int(a.Requests*1e6) - int(b.Requests*1e6) }) {
		t.Errorf("%+v", loads)
	}
	for _, l := range loads {
		if math.Abs(l.Fills-loads[0].Fills) > 1e-9 || l.Fills > 1000.0/60 || l.Requests > 100+l.Fills {
			t.Errorf("%+v", l)
		}
	}
}
