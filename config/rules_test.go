package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestMalformedValuesAreNoZero: a malformed number or duration is refused, also where
// zero is allowed.
func TestMalformedValuesAreNoZero(t *testing.T) {
	for _, k := range keys {
		zero := load(t, nil)
		if k.set(&zero, "0") != nil && k.set(&zero, "0%") != nil {
			continue // zero is not allowed
		}
		switch k.Example {
		case "duration", "number", "percentage", "factor", "size":
			cfg := load(t, nil)
			for _, text := range []string{"abc", "1x", "", "0 0", "--1"} {
				if err := k.set(&cfg, text); err == nil {
					t.Errorf("%s=%q is %s", k.Name, text, k.get(&cfg))
				}
			}
		}
	}
	cfg := load(t, nil)
	for name, text := range map[string]string{"CACHE_MAX_AGE": "abc", "DATABASE_PORT": "abc", "CACHE_BYTES": "abc", "AUTO_MAX_SLOWDOWN": "abc", "VERIFY_SAMPLE": "abc"} {
		if k, _ := keyNamed(name); k.set(&cfg, text) == nil {
			t.Errorf("%s=%s is %s", name, text, k.get(&cfg))
		}
	}
}

// TestShowReadsBack: sizes and durations at the edges of their units are read back
// from their text.
func TestShowReadsBack(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{int64(0), "0"}, {int64(1), "1"}, {int64(1023), "1023"}, {int64(1024), "1KiB"}, {int64(1025), "1025"},
		{int64(1 << 20), "1MiB"}, {int64(1 << 30), "1GiB"}, {int64(1 << 40), "1024GiB"}, {int64(3 << 50), "3145728GiB"},
		{time.Duration(0), "0s"}, {time.Minute, "1m"}, {time.Hour, "1h"}, {time.Hour + time.Second, "1h1s"},
	} {
		if got := show(tt.value); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.value, got, tt.want)
		}
	}
	cfg := load(t, map[string]string{"MEMORY_LIMIT": "1TiB"})
	if k, _ := keyNamed("MEMORY_LIMIT"); k.get(&cfg) != "1024GiB" {
		t.Errorf("1TiB is shown as %s", k.get(&cfg))
	}
}

// TestSecretFormats: no way of printing shows a secret.
func TestSecretFormats(t *testing.T) {
	for secret, want := range map[Secret]string{"hunter2": "(hidden)", "": "(not set)"} {
		encoded, err := json.Marshal(secret)
		if err != nil || string(encoded) != `"`+want+`"` || fmt.Sprintf("%#v", secret) != want || fmt.Sprintf("%v", secret) != want {
			t.Errorf("%s, %#v, %v; want %s", encoded, secret, secret, want)
		}
	}
}

// TestStringGroups: each group of keys has one heading, in the order of the keys, and
// each key is listed with the place of its value.
func TestStringGroups(t *testing.T) {
	text := load(t, nil).String()
	var want []string
	for _, k := range keys {
		if heading := "# " + k.Group; len(want) == 0 || want[len(want)-1] != heading {
			want = append(want, heading)
		}
	}
	var got []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "# "):
			got = append(got, line)
		case line != "" && !strings.HasSuffix(line, " # default") && !strings.HasSuffix(line, "  # default"):
			t.Errorf("%q has no place", line)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || strings.HasPrefix(text, "\n") {
		t.Errorf("headings %q, want %q, in\n%s", got, want, text)
	}
	if bare := (Config{}).String(); strings.Contains(bare, "\t#") || strings.Contains(bare, " # ") {
		t.Errorf("a value that was not loaded has a place:\n%s", bare)
	}
}

// TestKeysIsACopy: a caller can't change the table of keys.
func TestKeysIsACopy(t *testing.T) {
	Keys()[0].Name = "CHANGED"
	if keys[0].Name == "CHANGED" || len(Keys()) != len(keys) {
		t.Error("the table has changed")
	}
}

// TestEnvFileSize: an env file of the largest size is read, and a larger file is
// refused.
func TestEnvFileSize(t *testing.T) {
	const line = "LOG_LEVEL=debug\n"
	for extra, allowed := range map[int]bool{0: true, 1: false} {
		path := writeEnvFile(t, line+strings.Repeat("#", maxEnvFile-len(line)+extra))
		_, err := Load(map[string]string{"ENV_FILE": path}, environment(nil))
		if (err == nil) != allowed {
			t.Errorf("%d bytes more than the most: %v", extra, err)
		}
	}
}

// TestSlips: a name counts as a misspelt key if it differs by up to two letters after
// the same first word, or by one letter anywhere else.
func TestSlips(t *testing.T) {
	for name, slip := range map[string]bool{
		"FILL_TIMOUTT": true, "FLIL_TIMEOUT": true, "FLIL_TIMEOUX": false, "DTAABASE_PASSWORX": false, "DTAABASE_PASSWORD": true,
		"DATABASE_PSASWORX": true, "PID_FLIE": true, "PID_FXXE": false,
	} {
		if got := isNearMiss(name); got != slip {
			t.Errorf("%s is a slip: %v, want %v", name, got, slip)
		}
	}
	if got := nearestKey("PID_FILE_PATH_ON_THE_DISK"); got != "PID_FILE" {
		t.Errorf("a key with more behind it: %q", got)
	}
	for _, tt := range []struct {
		a, b string
		want int
	}{{"xa", "ay", 2}, {"ax", "ya", 2}, {"abcd", "badc", 2}, {"ca", "abc", 3}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// TestShown: a refused value of 100 characters is quoted completely.
func TestShown(t *testing.T) {
	for n, want := range map[int]string{100: strings.Repeat("é", 100), 101: strings.Repeat("é", 100) + "..."} {
		if got := shown(strings.Repeat("é", n)); got != `"`+want+`"` {
			t.Errorf("%d: %s", n, got)
		}
	}
}
