package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

// soon is the longest wait for another member.
const soon = time.Minute

func statsOf(t *testing.T, base string) (s api.Stats) {
	t.Helper()
	if err := json.Unmarshal(get(t, base+"/cache/stats"), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// TestMembers: three members on one machine see each other, and a purge on one reaches all.
// A lookup of one member finds the answer of another.
func TestMembers(t *testing.T) {
	need.Program(t, "redis-server", "redis-server")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stdout, w := io.Pipe()
	var printed, stderr bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"--members", "3", "--listen", "127.0.0.1:0"}, w, &stderr)
		w.Close()
		ended <- err
	}()
	readURLs(t, io.TeeReader(stdout, &printed))
	bases := regexp.MustCompile(`(?m)^  member \d +(http://\S+)$`).FindAllStringSubmatch(printed.String(), -1)
	for _, b := range bases {
		if strings.Count(printed.String(), `BalancerMember "`+b[1]+`"`) != 1 {
			t.Errorf("no balancer for %s:\n%s", b[1], &printed)
		}
	}
	if len(bases) != 3 || !strings.Contains(printed.String(), "share their answers, fills and purges in a Redis on unix://") {
		t.Fatalf("%s", &printed)
	}
	for _, b := range bases {
		await(t, "three members", func() bool {
			f := statsOf(t, b[1]).Fleet
			return f != nil && f.State == api.BreakerClosed && len(f.Members) == 3 &&
				!slices.ContainsFunc(f.Members, func(m api.Member) bool { return m.Generation == "" })
		})
	}
	limit := 100
	await(t, "an answer of another member", func() bool { // a lookup on a busy machine may exceed its time
		limit++
		cold := fmt.Sprintf("/athletes/?season_year=2025&division=2030&gender=M&limit=%d", limit)
		get(t, bases[0][1]+cold)
		get(t, bases[1][1]+cold)
		return statsOf(t, bases[1][1]).Fleet.Hits > 0
	})
	resp, err := http.Post(bases[2][1]+"/cache/purge", "application/json", strings.NewReader(`{"all":true}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	await(t, "the purge on another member", func() bool {
		return slices.ContainsFunc(statsOf(t, bases[0][1]).Events, func(e api.Event) bool { return e.Kind == "purge" })
	})
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(soon):
		t.Fatal("does not stop")
	}
	if strings.Contains(stderr.String(), "level=ERROR") {
		t.Errorf("says on stderr: %s", &stderr)
	}
	socket := regexp.MustCompile(`unix://(\S+/redis.sock)`).FindStringSubmatch(printed.String())
	if _, err := os.Stat(filepath.Dir(socket[1])); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("leaves the folder of its Redis: %v", err)
	}
}

// TestMembersWithoutRedis: without a Redis the members run alone, and the demo says so.
func TestMembersWithoutRedis(t *testing.T) {
	db, err := embedded()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	f, err := newFleet(db, options{members: 2, listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	var text bytes.Buffer
	f.describe(&text)
	if len(f.bases) != 2 || f.bases[0] == f.bases[1] || !strings.Contains(text.String(), "The 2 members share nothing: neither redis-server nor valkey-server is installed") {
		t.Errorf("%q\n%s", f.bases, &text)
	}
}
