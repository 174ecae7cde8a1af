package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
)

// errAnswer is the error of an answer in a form that no script returns.
var errAnswer = errors.New("an unexpected answer of the shared level")

// wrongType is the kind of an error: another program has put a value of another type under
// a name of ours.
const wrongType = "WRONGTYPE"

// part is the number of events that are read together.
const part = 50

// moved is the result of appendScript if a text is another than the present.
const moved = "moved"

// The results of claimScript.
const (
	hasValue = iota + 1
	hasLock
	hasNeither
	hasError
)

// Claim is a method of fleet.Engine.
func (e *Engine) Claim(ctx context.Context, name, token string, lease time.Duration, sure bool) (fleet.Claim, error) {
	return bounded(ctx, func() (fleet.Claim, error) { return e.claim(ctx, name, token, lease, sure) })
}

func (e *Engine) claim(ctx context.Context, name, token string, lease time.Duration, sure bool) (c fleet.Claim, err error) {
	answer, err := e.run(ctx, claimScript, keysOf(name), token, milliseconds(lease), flag(sure), mostValue)
	if err != nil {
		return c, err
	}
	parts, err := answer.ToArray()
	if err != nil {
		return c, err
	}
	if len(parts) == 0 {
		return c, errAnswer
	}
	result, err := parts[0].AsInt64()
	if err != nil {
		return c, err
	}
	switch {
	case result == hasLock:
		c.Claimed = true
	case len(parts) < 2:
		err = errAnswer
	case result == hasValue:
		c.Value, err = parts[1].AsBytes()
	case result == hasNeither:
		var left int64
		left, err = parts[1].AsInt64()
		c.Left = time.Duration(max(1, left)) * time.Millisecond
	default:
		var text string
		if text, err = parts[1].ToString(); err == nil {
			err = full(text)
		}
	}
	return c, err
}

// Extend is a method of fleet.Engine.
func (e *Engine) Extend(ctx context.Context, name, token string, lease time.Duration) error {
	_, err := e.run(ctx, extendScript, keysOf(name)[1:], token, milliseconds(lease))
	return err
}

// Put is a method of fleet.Engine.
func (e *Engine) Put(ctx context.Context, name, token string, value []byte, ttl time.Duration) error {
	text, err := e.text(ctx, putScript, keysOf(name), token, valkey.BinaryString(value), milliseconds(ttl), channel+string(fleet.Filled))
	if err != nil {
		return err
	}
	return full(text)
}

// Release is a method of fleet.Engine.
func (e *Engine) Release(ctx context.Context, name, token string) error {
	_, err := e.run(ctx, releaseScript, keysOf(name), token, channel+string(fleet.Filled))
	return err
}

// Head is a method of fleet.Engine.
func (e *Engine) Head(ctx context.Context, name string, bytes int) ([]byte, error) {
	client, err := e.now()
	if err != nil {
		return nil, err
	}
	head, err := client.Do(ctx, client.B().Getrange().Key(prefix+name).Start(0).End(int64(bytes)-1).Build()).AsBytes()
	if refused(err, wrongType) {
		return nil, nil
	}
	return head, err
}

// Drop is a method of fleet.Engine.
func (e *Engine) Drop(ctx context.Context, name string) error {
	client, err := e.now()
	if err != nil {
		return err
	}
	return client.Do(ctx, client.B().Del().Key(prefix+name).Build()).Error()
}

// Sync is a method of fleet.Engine.
func (e *Engine) Sync(ctx context.Context, series string, first []byte) (at fleet.Position, err error) {
	parts, err := e.list(ctx, syncScript, []string{seriesName, logName, lastingName}, series, valkey.BinaryString(first), mostSeries, mostEvents, mostEvent)
	switch {
	case err != nil:
		return at, err
	case len(parts) != 3:
		return at, errAnswer
	}
	return fleet.Position{Texts: fleet.Texts{Series: parts[0], Lasting: parts[2]}, Last: parts[1]}, nil
}

// Append is a method of fleet.Engine.
func (e *Engine) Append(ctx context.Context, event []byte, present, next fleet.Texts) (id string, err error) {
	id, err = e.text(ctx, appendScript, []string{seriesName, logName, lastingName}, valkey.BinaryString(event),
		next.Series, channel+string(fleet.Logged), present.Series, next.Lasting, present.Lasting, mostEvent)
	if err == nil && id == moved {
		return "", fleet.ErrMoved
	}
	return id, err
}

// Since is a method of fleet.Engine. It reads the log in parts, because the events of a part may
// have the greatest length.
func (e *Engine) Since(ctx context.Context, id string) (events []fleet.Event, complete bool, err error) {
	complete = true
	for from := id; ; {
		parts, err := e.list(ctx, sinceScript, []string{logName}, from, strconv.Itoa(part), mostEvent)
		if err != nil {
			return nil, false, err
		}
		if len(parts) < 2 || parts[0] != from { // the log does not hold it any more
			complete = false
		}
		for i := 0; i+1 < len(parts); i += 2 {
			if parts[i] != from {
				events = append(events, fleet.Event{ID: parts[i], Text: []byte(parts[i+1])})
			}
		}
		if len(parts) < 2*part {
			return events, complete, nil
		}
		from = parts[2*part-2]
	}
}

// The limits, as arguments of scripts: see package engine.
var (
	mostValue, mostSeries, mostEvent  = strconv.Itoa(engine.MostValue), strconv.Itoa(engine.MostSeries), strconv.Itoa(engine.MostEvent)
	mostDecision, mostReport, mostKey = strconv.Itoa(engine.MostDecision), strconv.Itoa(engine.MostReport), strconv.Itoa(engine.MostKey)
	mostName, mostEvents, mostMembers = strconv.Itoa(engine.MostName), strconv.Itoa(engine.MostEvents), strconv.Itoa(engine.MostMembers)
)

// flag returns the argument of a script that is a condition.
func flag(is bool) string {
	if is {
		return "1"
	}
	return "0"
}

// full turns the text of an error in a script into an error.
func full(text string) error {
	switch {
	case text == "":
		return nil
	case strings.HasPrefix(text, "OOM "):
		return fleet.ErrFull
	}
	return fmt.Errorf("redis: %s", text)
}
