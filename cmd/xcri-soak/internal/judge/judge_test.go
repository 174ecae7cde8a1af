package judge

import (
	"testing"
	"testing/synctest"
	"time"
)

const late = time.Minute

// answers makes a state in which the key "men" has a body, of a generation.
func answers(body, generation string) State {
	return State{Name: body, Generation: generation, Keys: map[string]Key{
		"men": {AnswerOf(200, []byte(body)), generation}, "women": {AnswerOf(200, []byte("women")), "1"},
	}}
}

// enter makes a state the database's, with a commit of a second.
func enter(r *Record, s State) {
	r.Begin(s)
	time.Sleep(time.Second)
	r.Committed()
}

// seen is an answer to a request that begins now and takes a second.
func seen(r *Record, outcome, body string) Seen {
	s := Seen{Key: "men", Warm: true, Outcome: outcome, Answer: AnswerOf(200, []byte(body)), Floor: r.Floor(), Begun: time.Now()}
	time.Sleep(time.Second)
	s.Ended = time.Now()
	return s
}

func expect(t *testing.T, r *Record, s Seen, want Verdict) {
	t.Helper()
	if got, states := r.Judge(s); got != want {
		t.Errorf("%s: %v, want %v:%s", s.Outcome, got, want, states)
	}
}

// judged runs a test with the states a and b of two generations, of which a is
// published.
func judged(t *testing.T, test func(*testing.T, *Record)) {
	synctest.Test(t, func(t *testing.T) {
		r := New(late)
		enter(r, answers("a", "1"))
		r.Published("1", true)
		enter(r, answers("b", "2"))
		time.Sleep(time.Second)
		test(t, r)
	})
}

func TestBodyOfNoState(t *testing.T) {
	judged(t, func(t *testing.T, r *Record) {
		for _, outcome := range []string{"hit", "stale", "stale_error", "miss", "coalesced"} {
			expect(t, r, seen(r, outcome, "c"), Wrong)
			other := seen(r, outcome, "b")
			other.Answer.Status = 404
			expect(t, r, other, Wrong)
			other = seen(r, outcome, "b")
			other.Key = "unknown"
			expect(t, r, other, Wrong)
		}
	})
}

// A state is neither seen before its commit begins, nor loaded after the commit of the
// next state.
func TestBodyOfAStateAtAnotherTime(t *testing.T) {
	judged(t, func(t *testing.T, r *Record) {
		early := seen(r, "miss", "c")
		time.Sleep(time.Second)
		enter(r, answers("c", "2"))
		expect(t, r, early, Wrong)
		expect(t, r, seen(r, "miss", "c"), Right)
		expect(t, r, seen(r, "miss", "b"), Outdated)
		expect(t, r, seen(r, "coalesced", "b"), Right)
		time.Sleep(patience)
		expect(t, r, seen(r, "coalesced", "b"), Outdated)
		expect(t, r, seen(r, "hit", "b"), Right)
	})
}

// While a commit is under way, both states are right.
func TestCommitUnderWay(t *testing.T) {
	judged(t, func(t *testing.T, r *Record) {
		r.Begin(answers("c", "2"))
		time.Sleep(time.Hour)
		expect(t, r, seen(r, "miss", "b"), Right)
		expect(t, r, seen(r, "miss", "c"), Right)
		expect(t, r, seen(r, "miss", "a"), Outdated)
	})
}

// After a publish, answers of an earlier generation are too old for a hit, and for a
// warm key in any case.
func TestOlderThanThePublish(t *testing.T) {
	judged(t, func(t *testing.T, r *Record) {
		expect(t, r, seen(r, "hit", "a"), Right)
		before := seen(r, "hit", "a")
		if !r.Published("2", true) || r.Published("3", true) {
			t.Error("published")
		}
		expect(t, r, before, Right)
		expect(t, r, seen(r, "hit", "b"), Right)
		for _, outcome := range []string{"hit", "stale", "stale_error"} {
			expect(t, r, seen(r, outcome, "a"), Older)
		}
		cold := seen(r, "stale", "a")
		cold.Warm = false
		expect(t, r, cold, Right)
		cold.Outcome = "hit"
		expect(t, r, cold, Older)
		r.Published("2", false)
		expect(t, r, seen(r, "stale", "a"), Right)
		r.Restarted()
		expect(t, r, seen(r, "hit", "a"), Right)
	})
}

// A publish concerns the keys whose calculations have changed: rows that change without
// a calculation may be older.
func TestPublishOfAnotherScope(t *testing.T) {
	judged(t, func(t *testing.T, r *Record) {
		mended := answers("b mended", "2")
		enter(r, mended)
		mended.Generation = "2 and women"
		enter(r, mended)
		r.Published("2 and women", true)
		expect(t, r, seen(r, "hit", "b mended"), Right)
		expect(t, r, seen(r, "hit", "b"), Right)
		expect(t, r, seen(r, "hit", "a"), Older)
	})
}

func TestOlderThanAHardPurge(t *testing.T) {
	judged(t, func(t *testing.T, r *Record) {
		begun := time.Now()
		before := seen(r, "stale", "a")
		time.Sleep(time.Second)
		r.Purged(begun)
		expect(t, r, before, Right)
		expect(t, r, seen(r, "stale", "a"), Older)
		expect(t, r, seen(r, "stale", "b"), Right)
	})
}

// A change that no calculation reports is seen some time after the last fault.
func TestLate(t *testing.T) {
	judged(t, func(t *testing.T, r *Record) {
		enter(r, answers("b mended", "2"))
		expect(t, r, seen(r, "hit", "b"), Right)
		end := r.Fault()
		time.Sleep(2 * late)
		expect(t, r, seen(r, "hit", "b"), Right)
		end()
		end()
		time.Sleep(late - 2*time.Second)
		expect(t, r, seen(r, "hit", "b"), Right)
		time.Sleep(4 * time.Second)
		expect(t, r, seen(r, "hit", "b"), Late)
		expect(t, r, seen(r, "stale", "b"), Right)
		expect(t, r, seen(r, "hit", "b mended"), Right)
	})
}

// If states have the same answer, the best verdict counts.
func TestSameAnswerAgain(t *testing.T) {
	judged(t, func(t *testing.T, r *Record) {
		enter(r, answers("a", "3"))
		r.Published("3", true)
		expect(t, r, seen(r, "hit", "a"), Right)
		expect(t, r, seen(r, "hit", "b"), Older)
	})
}
