package redis

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	"github.com/lewistv/xcri-proxy/proxy/fleet/members"
	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
	"github.com/lewistv/xcri-proxy/proxy/rarely"
)

// TestDamageIsLoggedRarely: however many values another program damages, the log has a line a
// minute, with their number.
func TestDamageIsLoggedRarely(t *testing.T) {
	p := newPair(t)
	e := p.both[0]
	for i := range 50 {
		name := fmt.Sprint("name ", i)
		p.writes("RPUSH", keysOf(name)[0], "x")
		if _, err := e.Claim(t.Context(), name, "token", time.Minute, false); err != nil {
			t.Fatal(err)
		}
	}
	log := p.log.String()
	if n := strings.Count(log, "are damaged: removed"); n != 1 || !strings.Contains(log, "values=1\n") || e.Damaged() != 50 {
		t.Errorf("%d lines for %d values: %s", n, e.Damaged(), log)
	}
	e.lastDamage = rarely.Event{} // a minute later
	e.removed([]string{"x", "y"})
	if log = p.log.String(); !strings.Contains(log, "name=x values=51\n") {
		t.Error(log)
	}
}

// pair are two members on a server to which another program writes, too.
type pair struct {
	t     *testing.T
	both  [2]*Engine
	log   bytes.Buffer
	round int
	last  string // generation
}

func newPair(t *testing.T) *pair {
	s, p := redisserver.Start(t), &pair{t: t}
	for i := range p.both {
		e, err := New(Options{URL: s.URL, Timeout: patience, Logger: slog.New(slog.NewTextHandler(&p.log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		if _, err := e.connect(); err != nil {
			t.Fatal(err)
		}
		p.both[i] = e
	}
	return p
}

// writes runs a command of another program.
func (p *pair) writes(words ...string) {
	p.t.Helper()
	client, err := p.both[0].now()
	if err == nil {
		err = client.Do(p.t.Context(), client.B().Arbitrary(words...).Build()).Error()
	}
	if err != nil {
		p.t.Fatalf("%.100q: %v", words, err)
	}
}

// generation returns the name of the generation of the next round.
func (p *pair) generation() string { return fmt.Sprint("generation ", p.round) }

// works holds that all operations of both members succeed, and that the second sees the work of
// the first.
func (p *pair) works(after string) {
	p.t.Helper()
	a, b, ctx := p.both[0], p.both[1], p.t.Context()
	check := func(operation string, err error, is bool) {
		p.t.Helper()
		if err != nil || !is {
			p.t.Errorf("%s: %s: %v", after, operation, err)
		}
	}
	for range 2 { // the garbage may be found by either
		for i, e := range p.both {
			name := string(rune('a' + i))
			found, err := e.Beat(ctx, members.Report{ID: name, Info: members.Info{Name: name}.Encode(), Lasts: time.Hour, List: true, First: true})
			check("heartbeat", err, len(found) <= 2 && !found[name].Gone && len(found[name].Info) > 0)
		}
	}
	d, err := a.Decision(ctx)
	check("decision", err, d.Name == "" || d.Name == p.last)
	vote := agree.Vote{Member: "a", Step: agree.Ready, Name: p.generation(), Data: []byte("data"), After: d.Name}
	r, err := a.Vote(ctx, vote, time.Hour)
	check("first vote", err, r.Name == d.Name && !r.All)
	vote.Member = "b"
	r, err = b.Vote(ctx, vote, time.Hour)
	check("last vote", err, r.Name == vote.Name && r.All)
	d, err = b.Decision(ctx)
	check("next decision", err, d.Name == vote.Name && string(d.Data) == "data")
	p.last = vote.Name

	at, err := a.Sync(ctx, "series", []byte("first"))
	check("sync", err, at.Series == "series" && at.Last != "")
	next := fleet.Texts{Series: "series", Lasting: "lasting"}
	id, err := a.Append(ctx, []byte("event"), at.Texts, next)
	if err == nil && id == "" { // nothing can be added to the log
		at, err = a.Sync(ctx, "series", []byte("first"))
		check("sync again", err, at.Series == "series")
		id, err = a.Append(ctx, []byte("event"), at.Texts, next)
	}
	check("append", err, id != "")
	now, err := b.Sync(ctx, "another", nil)
	check("texts", err, now.Texts == next)
	events, complete, err := b.Since(ctx, at.Last)
	check("events", err, complete && len(events) == 1 && string(events[0].Text) == "event")

	c, err := a.Claim(ctx, "name", "a", time.Hour, true)
	if c.Value != nil { // garbage, as its reader finds out
		check("drop of garbage", a.Drop(ctx, "name"), true)
		c, err = a.Claim(ctx, "name", "a", time.Hour, true)
	}
	check("claim", err, c.Claimed || c.Value == nil && c.Left > 0 && c.Left <= 10*time.Hour)
	check("extend", a.Extend(ctx, "name", "a", time.Hour), true)
	_, err = b.Head(ctx, "name", 2)
	check("head", err, true)
	check("put", a.Put(ctx, "name", "a", []byte("1value"), time.Hour), true)
	c, err = b.Claim(ctx, "name", "b", time.Hour, true)
	check("value", err, string(c.Value) == "1value")
	check("release", b.Release(ctx, "name", "b"), true)
	check("drop", b.Drop(ctx, "name"), true)

	report := wanted.Report{Limit: 10, Least: 1}
	for range 2 { // the first learns the token
		counts, err := a.Want(ctx, report, time.Hour)
		check("wants", err, counts.Token != "" && len(counts.Token) <= 64)
		report.Token, report.Changes = counts.Token, map[string]int64{"/wanted/": 5}
	}
	counts, err := b.Want(ctx, wanted.Report{Token: report.Token, Limit: 10, Least: 1}, time.Hour)
	check("wanted keys", err, slices.Contains(counts.Keys, "/wanted/"))
	check("ping", a.Ping(ctx), true)
	p.round++
}

// TestGarbage: another program replaces each value of the level by values of all types, and by
// texts that no member writes. All operations of the members succeed.
func TestGarbage(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.works("nothing")
	long := strings.Repeat("x", 2<<20)
	larger := strings.Repeat("1", engine.MostValue+1)
	kinds := map[string]func(key string) []string{
		"list":                 func(key string) []string { return []string{"RPUSH", key, "x"} },
		"set":                  func(key string) []string { return []string{"SADD", key, "x", "\x00", long} },
		"hash":                 func(key string) []string { return []string{"HSET", key, "name", long, "data", "\x00", "a", long} },
		"hash of other fields": func(key string) []string { return []string{"HSET", key, "x", "\x00", "name", ""} },
		"zset": func(key string) []string {
			return []string{"ZADD", key, "inf", "/wanted/", "inf", long, "-inf", "x", "1e300", "y"}
		},
		"stream": func(key string) []string { return []string{"XADD", key, "*", "event", long, "\x00", "x"} },
		"stream's end": func(key string) []string {
			return []string{"XADD", key, "18446744073709551615-18446744073709551615", "x", "y"}
		},
		"no text":       func(key string) []string { return []string{"SET", key, ""} },
		"NUL":           func(key string) []string { return []string{"SET", key, "\x00"} },
		"number":        func(key string) []string { return []string{"SET", key, "-1e999"} },
		"not JSON":      func(key string) []string { return []string{"SET", key, "1{\"name\":"} },
		"long text":     func(key string) []string { return []string{"SET", key, "0" + long} },
		"too long text": func(key string) []string { return []string{"SET", key, larger} },
		"for a century": func(key string) []string { return []string{"SET", key, "x", "EX", "3000000000"} },
	}
	for _, key := range []string{seriesName, logName, lastingName, membersName, goneName, decisionName, wantedName, tokenName, prefix + "name", prefix + "name:lock", "votes"} {
		for kind, command := range kinds {
			of := key
			if key == "votes" {
				of = votesName + string(agree.Ready) + ":" + p.generation()
			}
			if key == seriesName && (kind == "NUL" || kind == "number" || kind == "not JSON" || kind == "for a century") {
				continue // a series may be any text
			}
			p.writes("DEL", of)
			p.writes(command(of)...)
			p.works(key + " is: " + kind)
		}
	}
	if n := p.both[0].Damaged() + p.both[1].Damaged(); n < 60 || !strings.Contains(p.log.String(), "are damaged: removed") {
		t.Errorf("%d damaged values\n%.500s", n, p.log.String())
	}
}

// TestReportsOfOthers: reports that no member has written are removed, or count for as long as
// a member's. None of them is alive in a vote, and none is gone.
func TestReportsOfOthers(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.works("nothing")
	now := strconv.FormatInt(time.Now().UnixMilli(), 10)
	const state = `{"name":"ghost"}`
	for kind, report := range map[string]string{
		"far future": "9999999999999:" + state, "next day": strconv.FormatInt(time.Now().Add(25*time.Hour).UnixMilli(), 10) + ":" + state,
		"huge": strings.Repeat("9", 400) + ":" + state, "negative": "-1:" + state, "fraction": now + ".5:" + state, "no time": state,
		"no state": "x", "empty": "", "NUL": "\x00", "too long": now + `:{"name":"` + strings.Repeat("x", engine.MostReport) + `"}`,
		"megabyte": now + `:{"name":"` + strings.Repeat("x", 1<<20) + `"}`, "past, no JSON": "1:x", "past, no name": "1:{}", "past, no text": `1:{"name":5}`,
		"past, deep": "1:" + strings.Repeat("[", 2000),
	} {
		for _, key := range []string{membersName, goneName} {
			p.writes("HSET", key, "ghost", report)
			vote := agree.Vote{Member: "a", Step: agree.Held, Name: p.last}
			for _, member := range []string{"a", "b"} {
				vote.Member = member
				r, err := p.both[0].Vote(t.Context(), vote, time.Hour)
				if err != nil || member == "b" && !r.All && key == membersName && !strings.HasPrefix(kind, "past") {
					t.Errorf("%s: a vote: %+v, %v", kind, r, err)
				}
			}
			before := p.both[0].Damaged()
			for range 2 {
				found, err := p.both[0].Beat(t.Context(), members.Report{ID: "a", Info: []byte(`{"name":"a"}`), Lasts: time.Hour, List: true})
				if err != nil || len(found) != 2 {
					t.Errorf("%s in %s: %d members, %v", kind, key, len(found), err)
				}
			}
			want := int64(1)
			if key == goneName && strings.HasPrefix(kind, "past") {
				want = 0 // it has expired
			}
			if n := p.both[0].Damaged() - before; n != want {
				t.Errorf("%s in %s: %d damaged values", kind, key, n)
			}
		}
	}
	for _, key := range []string{membersName, goneName} {
		p.writes("EVAL", "for i = 0, ARGV[1] do redis.call('HSET', KEYS[1], i, 'x') end return 1", "1", key, strconv.Itoa(engine.MostMembers))
		p.works("too many reports in " + key)
	}
}

// TestLogOfOthers: a log with very long events is read in parts, without their texts, and a log
// with very many is replaced.
func TestLogOfOthers(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	e, ctx := p.both[0], t.Context()
	first, err := e.Sync(ctx, "series", []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	var want []fleet.Event
	longest := strings.Repeat("x", engine.MostEvent)
	for i := range 3*part + 7 {
		text := strconv.Itoa(i)
		switch i {
		case 5, part, 2 * part:
			text = longest
		case 9, part - 1, 2*part - 2:
			p.writes("XADD", logName, "*", "event", longest+"x")
			want = append(want, fleet.Event{})
			continue
		}
		id, err := e.Append(ctx, []byte(text), fleet.Texts{}, fleet.Texts{})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fleet.Event{ID: id, Text: []byte(text)})
	}
	got, complete, err := e.Since(ctx, first.Last)
	if err != nil || !complete || len(got) != len(want) {
		t.Fatalf("%d events of %d, complete %t, %v", len(got), len(want), complete, err)
	}
	for i := range got {
		if want[i].ID != "" && got[i].ID != want[i].ID || string(got[i].Text) != string(want[i].Text) {
			t.Errorf("event %d: %s, %d bytes, want %s, %d", i, got[i].ID, len(got[i].Text), want[i].ID, len(want[i].Text))
		}
	}
	for _, from := range []int{0, part - 2, part - 1, part, 2*part - 1, len(got) - part - 1, len(got) - 2, len(got) - 1} {
		rest, complete, err := e.Since(ctx, got[from].ID)
		if err != nil || !complete || len(rest) != len(got)-from-1 || len(rest) > 0 && rest[0].ID != got[from+1].ID {
			t.Errorf("from %d: %d events, complete %t, %v", from, len(rest), complete, err)
		}
	}
	p.writes("EVAL", "for i = 0, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'event', 'x') end return 1", "1", logName, strconv.Itoa(engine.MostEvents))
	if at, err := e.Sync(ctx, "another", []byte("first")); err != nil || at.Series != "another" {
		t.Errorf("too many events: %+v, %v", at, err)
	}
	if all, _, err := e.Since(ctx, "0-0"); err != nil || len(all) != 1 {
		t.Errorf("%d events of a new log, %v", len(all), err)
	}
}
