package main

import (
	"os"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

// A short run with all parts: some faults of each kind of neighbour, and no calm.
func TestShortRun(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes ten seconds")
	}
	need.Program(t, "mariadbd", "mariadb-server")
	s := settings{length: 6 * time.Second, seed: 1, out: t.TempDir(), clients: 4, questions: 60, late: time.Hour, paces: paces{pause: 20 * time.Millisecond, changePause: 200 * time.Millisecond, longest: 300 * time.Millisecond, faultPause: 200 * time.Millisecond, attackTime: 500 * time.Millisecond}}
	if err := soak(t.Context(), s, os.Stderr); err != nil {
		t.Error(err)
	}
}
