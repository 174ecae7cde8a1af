// Package survey checks whether a Redis or Valkey can be the shared level of a fleet: it
// uses the level as a member does, and if that fails, asks each server for the reason.
package survey

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/redis"
)

// pings is the number of commands whose time is measured. The shortest counts: the others may
// have waited for a busy machine.
const pings = 10

// lease is the expiry of the lock and of the value that the survey stores.
const lease = time.Minute

// Level describes a level that can be used.
type Level struct {
	Servers []Server      // by address
	Took    time.Duration // for a command, at least
	// Full reports that the level had no room for a value.
	Full bool
}

// Server describes a server of the level.
type Server struct {
	Addr    string
	Version string // with the name of the program
	Used    int64  // bytes of memory
	Limit   int64  // maxmemory, in bytes; zero for none
	Policy  string // maxmemory-policy
}

// Fault is the reason why a level can't be used, with a remedy.
type Fault struct {
	Reason, Remedy string
	unreached      bool // nothing listens
}

// Error returns the reason.
func (f *Fault) Error() string { return f.Reason }

// Limits bound the steps of a survey, so that an operator gets a reason instead of silence.
type Limits struct {
	Use time.Duration // of the connection as a member, and of the operations after it
	Ask time.Duration // of each connection to a server that explains why that failed
}

var (
	errEnded  = errors.New("the subscription has ended")
	errSilent = errors.New("no answer to the subscription")
)

// Of surveys the level at a URL. The error is a *Fault unless ctx has ended.
func Of(ctx context.Context, url string, limits Limits) (Level, error) {
	level, err := try(ctx, url, limits.Use)
	if err == nil || ctx.Err() != nil {
		return level, err
	}
	return level, explain(ctx, url, limits.Ask, err)
}

// try uses the level as a member does: it subscribes, claims a fill, and stores a value.
func try(ctx context.Context, url string, step time.Duration) (level Level, err error) {
	engine, err := redis.New(redis.Options{URL: url, Timeout: step})
	if err != nil {
		return level, err
	}
	defer func() { go engine.Close() }() // it waits for the end of an attempt to connect
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- engine.Listen(ctx, func() { close(ready) }, func(fleet.Message) {}) }()
	timer := time.NewTimer(step)
	defer timer.Stop()
	select {
	case <-ready:
	case err := <-ended:
		return level, cmp.Or(err, errEnded)
	case <-ctx.Done():
		return level, ctx.Err()
	case <-timer.C:
		return level, errSilent
	}
	ctx, cancel = context.WithTimeout(ctx, step)
	defer cancel()
	if level.Took, err = shortest(ctx, engine); err != nil {
		return level, err
	}
	if level.Full, err = store(ctx, engine); err != nil {
		return level, err
	}
	infos, err := engine.Info(ctx)
	for addr, text := range infos {
		level.Servers = append(level.Servers, parse(addr, text))
	}
	slices.SortFunc(level.Servers, func(a, b Server) int { return strings.Compare(a.Addr, b.Addr) })
	return level, err
}

// shortest returns the shortest time of a command.
func shortest(ctx context.Context, engine *redis.Engine) (took time.Duration, err error) {
	for range pings {
		begun := time.Now()
		if err := engine.Ping(ctx); err != nil {
			return 0, err
		}
		if once := time.Since(begun); took == 0 || once < took {
			took = once
		}
	}
	return took, nil
}

// store claims a fill, stores its value and removes it, under a name of its own. full reports
// that there was no room.
func store(ctx context.Context, engine *redis.Engine) (full bool, err error) {
	name, token := "{survey:"+rand.Text()+"}", rand.Text() // in one slot of a cluster
	_, err = engine.Claim(ctx, name, token, lease, false)
	if err == nil {
		err = engine.Put(ctx, name, token, []byte("a value of a survey"), lease)
	}
	if err == nil {
		err = engine.Drop(ctx, name)
	}
	if errors.Is(err, fleet.ErrFull) {
		return true, nil
	}
	return false, err
}

// parse reads the text of INFO.
func parse(addr, text string) Server {
	fields := map[string]string{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		fields[name] = value
	}
	s := Server{Addr: addr, Version: "Redis " + fields["redis_version"], Policy: fields["maxmemory_policy"]}
	if v := fields["valkey_version"]; v != "" {
		s.Version = "Valkey " + v
	}
	s.Used, _ = strconv.ParseInt(fields["used_memory"], 10, 64)
	s.Limit, _ = strconv.ParseInt(fields["maxmemory"], 10, 64)
	return s
}
