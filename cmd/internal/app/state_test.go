package app

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
)

func TestStateIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if s, err := loadState(path); err != nil || !reflect.DeepEqual(s, proxy.State{}) {
		t.Errorf("before the first: %+v, %v", s, err)
	}
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	keep := keepState(path)
	for _, want := range []proxy.State{
		{Maintenance: &maintenance.Period{Since: until.Add(-time.Hour), Until: &until, Message: `"quoted" <b> é`}, Sources: map[string]string{"": "auto", "/teams/": "legacy"}},
		{Maintenance: &maintenance.Period{Since: until}},
		{},
	} {
		if err := keep(want); err != nil {
			t.Fatal(err)
		}
		if got, err := loadState(path); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if names, _ := filepath.Glob(path + ".*"); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func TestStateWithoutAFile(t *testing.T) {
	if s, err := loadState(""); err != nil || !reflect.DeepEqual(s, proxy.State{}) {
		t.Errorf("%+v, %v", s, err)
	}
	if err := keepState("")(proxy.State{}); !errors.Is(err, errNoStateFile) {
		t.Error(err)
	}
}

// TestDamagedState holds that an invalid file or a missing folder is an error that
// names the key.
func TestDamagedState(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"empty": "", "cut off": `{"maintenance": {"since": "2026-`, "more behind it": "{}{}", "another type": `{"maintenance": 1}`, "no JSON": "on",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadState(path); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("STATE_FILE %q: ", path)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	missing := filepath.Join(dir, "no", "state.json")
	if _, err := loadState(missing); err == nil || !strings.Contains(err.Error(), "STATE_FILE") || !strings.Contains(err.Error(), "no such folder") {
		t.Errorf("folder missing: %v", err)
	}
	if err := keepState(missing)(proxy.State{}); err == nil || !strings.Contains(err.Error(), "it will not survive a restart: STATE_FILE") {
		t.Errorf("folder missing: %v", err)
	}
	if err := keepState(dir)(proxy.State{}); err == nil || !strings.Contains(err.Error(), "STATE_FILE") { // a folder can't be replaced
		t.Errorf("a folder: %v", err)
	}
	if names, _ := filepath.Glob(dir + ".*"); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// stateWriter names the environment variable that makes the test binary write
// states to a file until it is killed.
const stateWriter = "XCRI_TEST_WRITE_STATES"

// TestStateSurvivesAKill holds that a process that is killed during a write leaves a
// complete state, either the old state or the new state.
func TestStateSurvivesAKill(t *testing.T) {
	if path := os.Getenv(stateWriter); path != "" {
		for n := 0; ; n++ {
			message := strings.Repeat("x", n%500)
			if err := keepState(path)(proxy.State{Maintenance: &maintenance.Period{Message: message}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "state.json")
	for round := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestStateSurvivesAKill$")
		cmd.Env = append(os.Environ(), stateWriter+"="+path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		seen := map[int]bool{} // lengths of messages
		for deadline := time.Now().Add(time.Minute); len(seen) < 3+round && time.Now().Before(deadline); {
			if s, err := loadState(path); err != nil {
				t.Errorf("while it is written: %v", err)
				break
			} else if s.Maintenance != nil {
				seen[len(s.Maintenance.Message)] = true
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
		if s, err := loadState(path); err != nil || s.Maintenance == nil || len(seen) < 3+round {
			t.Errorf("after %d states: %+v, %v", len(seen), s, err)
		}
	}
}

// TestMaintenanceSurvivesARestart holds that a proxy that was stopped in maintenance
// mode starts in maintenance mode and does not query its database.
func TestMaintenanceSurvivesARestart(t *testing.T) {
	flags := settings(database(t))
	flags["STATE_FILE"] = filepath.Join(t.TempDir(), "state.json")
	flags["DATABASE_NAME"] = "nowhere" // a query would end the proxy
	if err := keepState(flags["STATE_FILE"])(proxy.State{Maintenance: &maintenance.Period{Since: time.Now(), Message: "a new season"}}); err != nil {
		t.Fatal(err)
	}
	r := run(t, flags)
	if status, body := get(t, r.url("/iz/xcri/teams")); status != 503 || !strings.Contains(body, "a new season") {
		t.Errorf("%d %.200s", status, body)
	}
	if status, body := get(t, r.url("/livez")); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	r.awaitLog(t, "maintenance mode is on still")
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}
