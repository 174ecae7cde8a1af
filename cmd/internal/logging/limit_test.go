package logging

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// A message that a loop repeats is written a limited number of times, followed by the
// count of suppressed lines. Other messages are not affected.
func TestRepeatedMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b proxytest.Log
		log := slog.New(newLimit(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})))
		with := log.With("part", "store")
		for range 50_000 {
			log.Warn("loop")
			with.Error("loop", "of", "another")
			log.Debug("asked for")
		}
		log.Info("other")
		lines := func(text string) int { return strings.Count(b.String(), text) }
		if n := lines("msg=loop"); n != burst {
			t.Errorf("%d lines of the loop, want %d", n, burst)
		}
		if lines("msg=other") != 1 || lines("asked for") != 50_000 {
			t.Error("other messages are limited")
		}
		time.Sleep(window)
		synctest.Wait()
		if n := lines(fmt.Sprintf("suppressed=%d", 100_000-burst)); n != 1 {
			t.Errorf("%d lines count suppressed lines", n)
		}
		before := lines("\n")
		log.Warn("loop")
		time.Sleep(window)
		synctest.Wait()
		if n := lines("\n") - before; n != 1 {
			t.Errorf("%d lines in a calm window", n)
		}
	})
}

// Messages with ever new texts use a limited amount of memory.
func TestManyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		h := newLimit(slog.NewTextHandler(&b, nil))
		log := slog.New(h)
		for i := range 10 * maxMessages {
			log.Warn(fmt.Sprint("message ", i))
			time.Sleep(time.Millisecond)
		}
		if n := len(h.(limit).counts.all); n > maxMessages {
			t.Errorf("%d messages are counted", n)
		}
		if n := strings.Count(b.String(), "\n"); n != 10*maxMessages {
			t.Errorf("%d lines", n)
		}
	})
}
