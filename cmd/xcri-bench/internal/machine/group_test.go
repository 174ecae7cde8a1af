package machine

import (
	"slices"
	"testing"
)

func TestKills(t *testing.T) {
	for events, want := range map[string]int64{
		"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n":                3, // version 1
		"low 0\nhigh 0\nmax 17\noom 1\noom_kill 2\noom_group_kill 0\n": 2, // version 2
	} {
		if got, err := kills(events); got != want || err != nil {
			t.Errorf("%q: %d, %v", events, got, err)
		}
	}
	if n, err := kills("low 0\n"); err == nil {
		t.Errorf("%d kills", n)
	}
}

func TestEnter(t *testing.T) {
	g := &Group{folder: "/groups/a"}
	want := []string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, "/groups/a/cgroup.procs", "proxy", "serve"}
	if got := g.enter([]string{"proxy", "serve"}); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
