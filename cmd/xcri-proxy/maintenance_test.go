package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseUntil(t *testing.T) {
	zone := time.FixedZone("EST", -5*3600)
	now := time.Date(2026, 12, 31, 15, 10, 20, 0, zone)
	for text, want := range map[string]string{
		"30m": "2026-12-31T15:40:20-05:00", "+30m": "2026-12-31T15:40:20-05:00", "1h30m": "2026-12-31T16:40:20-05:00",
		"15:11": "2026-12-31T15:11:00-05:00", "15:10": "2027-01-01T15:10:00-05:00", "06:00": "2027-01-01T06:00:00-05:00", "6:00": "2027-01-01T06:00:00-05:00",
		"2027-01-02 07:30": "2027-01-02T07:30:00-05:00", "2027-01-02T07:30:00Z": "2027-01-02T07:30:00Z",
		"-30m": "in the past", "0s": "in the past", "2026-12-31 15:10": "in the past", "2026-12-31T15:10:20-05:00": "in the past",
		"soon": "want a time as", "25:00": "want a time as", "30": "want a time as", "2027-02-30 10:00": "want a time as",
	} {
		t.Run(text, func(t *testing.T) {
			got, err := parseUntil(text, now)
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Error(err)
			}
			if err == nil && got.Format(time.RFC3339) != want {
				t.Errorf("got %v, want %s", got, want)
			}
		})
	}
}

func TestMaintenance(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	addr := startProxy(t, "STATE_FILE", file)
	ask := func(args ...string) []string {
		return append(append([]string{"maintenance"}, args...), "--listen-addr", addr)
	}
	expect(t, 0, ask(), "maintenance: off\n")
	expect(t, 0, ask("on", "--until", "30m", "--message", "a new <season>"), "maintenance: on\nsince: ", "until: ", "message:     a new <season>\n")
	expect(t, 0, ask(), "maintenance: on\n")
	if out := expect(t, 0, ask("--json"), `"on":true`, `"message":"a new <season>"`); strings.Contains(out, "warning") {
		t.Error(out)
	}
	resp, err := http.Get("http://" + addr + "/iz/xcri/teams")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 503 {
		t.Errorf("people get %d", resp.StatusCode)
	}
	expect(t, 0, ask("on"), "until:       not said\n")
	expect(t, 0, ask("off"), "maintenance: off\n")
	expect(t, 0, ask("off"), "maintenance: off\n")

	expect(t, 2, ask("on", "--until", "-1h"), "in the past", "see xcri-proxy maintenance on --help")
	expect(t, 2, ask("on", "--until", "2h", "--message", "two\nlines"), "control characters")
	expect(t, 2, ask("on", "--message", strings.Repeat("x", 501)), "501 characters are too many")
	expect(t, 2, ask("onn"), `maintenance "onn": want on, off or page`)
	expect(t, 2, ask("off", "now"), "off takes no arguments")
	expect(t, 5, []string{"maintenance", "on", "--listen-addr", "127.0.0.1:1"}, "127.0.0.1:1")
	expect(t, 0, ask(), "maintenance: off\n")
	expect(t, 0, []string{"maintenance", "--help"}, "maintenance on --until 30m")
}

// TestMaintenanceIsNotKept holds that maintenance mode works without STATE_FILE, with
// a warning.
func TestMaintenanceIsNotKept(t *testing.T) {
	addr := startProxy(t)
	expect(t, 0, []string{"maintenance", "on", "--listen-addr", addr}, "maintenance: on\n", "warning: it will not survive a restart: STATE_FILE is not set")
	expect(t, 0, []string{"maintenance", "--listen-addr", addr}, "maintenance: on\n")
}

func TestMaintenancePage(t *testing.T) {
	page := expect(t, 0, []string{"maintenance", "page", "--message", "<b>"}, "We’ll be right back", "in a few minutes", "&lt;b&gt;")
	if !strings.HasPrefix(page, "<!doctype html>") || !strings.HasSuffix(strings.TrimSpace(page), "</html>") {
		t.Errorf("%.100s", page)
	}
	expect(t, 2, []string{"maintenance", "page", "--message", "a\tb"}, "control characters")
}
