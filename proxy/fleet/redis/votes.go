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

// voteScript counts a vote. KEYS[1] is the decision, KEYS[2] the votes for the step, and KEYS[3]
// the hash of the members. The members are compared with the votes only if there are as many of
// both, which is the case for the last vote.
var voteScript = valkey.NewLuaScript(`
local name, step = ARGV[2], ARGV[3]
local decided = redis.pcall('HGET', KEYS[1], 'name')
if type(decided) == 'table' then -- of another type
  redis.call('DEL', KEYS[1])
  decided = false
end
if decided and decided ~= name and (step ~= 'ready' or decided ~= ARGV[4]) then
  return {decided, redis.call('HGET', KEYS[1], 'data'), '0'}
end
if redis.call('TYPE', KEYS[2]).ok ~= 'set' then redis.call('DEL', KEYS[2]) end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], 60000)
local all = redis.call('SCARD', KEYS[2]) >= redis.call('HLEN', KEYS[3])
if all then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local members = redis.call('HGETALL', KEYS[3])
  for i = 1, #members, 2 do
    local at = string.match(members[i + 1], '^(%d+):')
    if at and now - at <= tonumber(ARGV[7]) and redis.call('SISMEMBER', KEYS[2], members[i]) == 0 then
      all = false
      break
    end
  end
end
if step == 'ready' and decided ~= name and (all or ARGV[5] == '1') then
  redis.call('HSET', KEYS[1], 'name', name, 'data', ARGV[6])
  redis.call('DEL', KEYS[2])
  redis.call('PUBLISH', ARGV[8] .. 'decided', name)
  decided = name
elseif step == 'held' and all then
  redis.call('DEL', KEYS[2])
  redis.call('PUBLISH', ARGV[8] .. 'held', name)
end
return {decided or '', '', all and '1' or '0'}`)

// Vote is a method of fleet.Engine.
func (e *Engine) Vote(ctx context.Context, v agree.Vote, lasts time.Duration) (r agree.Result, err error) {
	keys := []string{decisionName, votesName + string(v.Step) + ":" + v.Name, membersName}
	parts, err := e.run(ctx, voteScript, keys, v.Member, v.Name, string(v.Step), v.After, flag(v.Force),
		valkey.BinaryString(v.Data), milliseconds(lasts), channel).AsStrSlice()
	switch {
	case err != nil:
		return r, fault(err)
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
	client, err := e.now()
	if err != nil {
		return d, err
	}
	fields, err := client.Do(ctx, client.B().Hgetall().Key(decisionName).Build()).AsStrMap()
	switch {
	case refused(err, wrongType):
		return d, nil // the next vote replaces it
	case err != nil || fields["name"] == "":
		return d, err
	}
	return agree.Decision{Name: fields["name"], Data: []byte(fields["data"])}, nil
}

// Announce is a method of fleet.Engine.
func (e *Engine) Announce(ctx context.Context, name string) error {
	client, err := e.now()
	if err != nil {
		return err
	}
	return client.Do(ctx, client.B().Publish().Channel(channel+string(fleet.Seen)).Message(name).Build()).Error()
}

// Leave is a method of fleet.Engine.
func (e *Engine) Leave(ctx context.Context, member string) error {
	client, err := e.now()
	if err != nil {
		return err
	}
	return client.Do(ctx, client.B().Hdel().Key(membersName).Field(member).Build()).Error()
}
