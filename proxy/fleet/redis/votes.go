package redis

import (
	"context"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
)

// decisionName is the hash of the last decision, and votesName begins the names of the sets of
// the members that have voted.
const (
	decisionName = prefix + "{fleet}:decision"
	votesName    = prefix + "{fleet}:votes:"
)

// decided has the function that returns the last decision, its name and its data.
const decided = `
local function decision(key, mostName, mostData)
  if not is(key, 'hash') then return false end
  local name, data = unpack(redis.call('HMGET', key, 'name', 'data'))
  if name and data and name ~= '' and #name <= tonumber(mostName) and #data <= tonumber(mostData) then return name, data end
  drop(key)
  return false
end
`

// voteScript counts a vote. KEYS[1] is the decision, KEYS[2] the votes for the step, and KEYS[3]
// the hash of the members. The members are compared with the votes only if there are nearly as
// many of both, which is the case for the last votes: some members may have died.
var voteScript = script(ages + decided + `
local name, step = ARGV[2], ARGV[3]
local last, data = decision(KEYS[1], ARGV[9], ARGV[10])
if last and last ~= name and (step ~= 'ready' or last ~= ARGV[4]) then return {bad, {last, data, '0'}} end
is(KEYS[2], 'set')
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], 60000)
local all = not is(KEYS[3], 'hash')
if not all and redis.call('SCARD', KEYS[2]) + 8 >= redis.call('HLEN', KEYS[3]) then
  all = true
  local members = redis.call('HGETALL', KEYS[3])
  for i = 1, #members, 2 do
    local ago = age(members[i + 1], ARGV[7], ARGV[11])
    if ago and ago <= tonumber(ARGV[7]) and redis.call('SISMEMBER', KEYS[2], members[i]) == 0 then
      all = false
      break
    end
  end
end
if step == 'ready' and last ~= name and (all or ARGV[5] == '1') then
  redis.call('HSET', KEYS[1], 'name', name, 'data', ARGV[6])
  redis.call('DEL', KEYS[2])
  redis.call('PUBLISH', ARGV[8] .. 'decided', name)
  last = name
elseif step == 'held' and all then
  redis.call('DEL', KEYS[2])
  redis.call('PUBLISH', ARGV[8] .. 'held', name)
end
return {bad, {last or '', '', all and '1' or '0'}}`)

// decisionScript returns the decision, which is KEYS[1].
var decisionScript = script(decided + `
local name, data = decision(KEYS[1], ARGV[1], ARGV[2])
if not name then return {bad, {}} end
return {bad, {name, data}}`)

// Vote is a method of fleet.Engine.
func (e *Engine) Vote(ctx context.Context, v agree.Vote, lasts time.Duration) (r agree.Result, err error) {
	keys := []string{decisionName, votesName + string(v.Step) + ":" + v.Name, membersName}
	parts, err := e.list(ctx, voteScript, keys, v.Member, v.Name, string(v.Step), v.After, flag(v.Force),
		valkey.BinaryString(v.Data), milliseconds(lasts), channel, mostName, mostDecision, mostReport)
	switch {
	case err != nil:
		return r, err
	case len(parts) != 3:
		return r, errAnswer
	}
	r.Name, r.All = parts[0], parts[2] == "1"
	if parts[1] != "" {
		r.Data = []byte(parts[1])
	}
	return r, nil
}

// Decision is a method of fleet.Engine.
func (e *Engine) Decision(ctx context.Context) (d agree.Decision, err error) {
	parts, err := e.list(ctx, decisionScript, []string{decisionName}, mostName, mostDecision)
	if err != nil || len(parts) != 2 {
		return d, err
	}
	return agree.Decision{Name: parts[0], Data: []byte(parts[1])}, nil
}

// Announce is a method of fleet.Engine.
func (e *Engine) Announce(ctx context.Context, name string) error {
	client, err := e.now()
	if err != nil {
		return err
	}
	return client.Do(ctx, client.B().Publish().Channel(channel+string(fleet.Seen)).Message(name).Build()).Error()
}
