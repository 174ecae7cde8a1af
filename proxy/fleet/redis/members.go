package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	"github.com/lewistv/xcri-proxy/proxy/fleet/members"
)

// ages has the functions for the reports of members: when each was last alive, by the server's
// clock, a colon, and its state. The age of a report is negative after the clock was set back.
// A report from further in the future than a report lasts is as bad as a report that is too
// long: it would never end.
const ages = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function age(report, lasts, most)
  if #report > tonumber(most) then return nil end
  local at, state = string.match(report, '^(%d+):(.*)$')
  if not at or now - at < -tonumber(lasts) then return nil end
  return now - at, state
end
`

// beatScript notes a heartbeat. KEYS[1] is the hash of the reports of the members. KEYS[2] is
// the same, by name, of the members that are gone. The result has four texts for each member:
// its ID, its state, for how many milliseconds it has not reported, and whether it is gone.
//
// A member's first heartbeat ends the other members of its name: it is the same member after
// a restart. Another member of the name that lives returns with its next heartbeat.
var beatScript = script(ages + `
local lasts, keeps, most, count = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local function name(state)
  local ok, fields = pcall(cjson.decode, state)
  if ok and type(fields) == 'table' and type(fields.name) == 'string' and fields.name ~= '' then return fields.name end
end
local function entries(key)
  if not is(key, 'hash') then return {} end
  if redis.call('HLEN', key) <= count then return redis.call('HGETALL', key) end
  drop(key)
  return {}
end
local function remove(key, field, why)
  redis.call('HDEL', key, field)
  if why then bad[#bad + 1] = key end
end
local function report(key, field, value)
  is(key, 'hash')
  return redis.pcall('HSET', key, field, value)
end

if is(KEYS[1], 'hash') and redis.call('HLEN', KEYS[1]) > count then drop(KEYS[1]) end
local set = report(KEYS[1], ARGV[1], string.format('%.0f', now) .. ':' .. ARGV[2])
if failed(set) then return set end
if redis.call('EXISTS', KEYS[2]) == 1 then redis.pcall('HDEL', KEYS[2], name(ARGV[2]) or ARGV[1]) end
if ARGV[8] == '1' then
  local own, all = name(ARGV[2]), entries(KEYS[1])
  for i = 1, #all, 2 do
    local ago, state = age(all[i + 1], lasts, most)
    if ago and own and all[i] ~= ARGV[1] and name(state) == own then remove(KEYS[1], all[i]) end
  end
end
local found, late = {}, {}
if ARGV[7] == '0' then return {bad, found} end
local function add(id, state, ago, gone)
  for _, part in ipairs({id, state, string.format('%.0f', math.max(0, ago)), gone}) do found[#found + 1] = part end
end

local all = entries(KEYS[1])
for i = 1, #all, 2 do
  local ago, state = age(all[i + 1], lasts, most)
  if ago and ago <= tonumber(lasts) then
    add(all[i], state, ago, '0')
  else
    local of = ago and name(state)
    remove(KEYS[1], all[i], not of)
    if of then late[of] = all[i + 1] end
  end
end
if next(late) then
  for i = 2, #found, 4 do -- another member of the name lives
    local of = name(found[i])
    if of then late[of] = nil end
  end
end
for of, last in pairs(late) do report(KEYS[2], of, last) end

all = entries(KEYS[2])
for i = 1, #all, 2 do
  local ago, state = age(all[i + 1], lasts, most)
  if ago and ago <= tonumber(keeps) and name(state) == all[i] then
    add(all[i], state, ago, '1')
  else
    remove(KEYS[2], all[i], not ago or ago <= tonumber(keeps))
  end
end
return {bad, found}`)

// Beat is a method of fleet.Engine.
func (e *Engine) Beat(ctx context.Context, r members.Report) (map[string]members.Heard, error) {
	parts, err := e.list(ctx, beatScript, []string{membersName, goneName}, r.ID, valkey.BinaryString(r.Info), milliseconds(r.Lasts),
		milliseconds(engine.GoneFor), mostReport, mostMembers, flag(r.List), flag(r.First))
	if err != nil || !r.List {
		return nil, err
	}
	found := map[string]members.Heard{}
	for i := 0; i+3 < len(parts); i += 4 {
		if ago, err := strconv.ParseInt(parts[i+2], 10, 64); err == nil {
			found[parts[i]] = members.Heard{Info: []byte(parts[i+1]), Ago: time.Duration(ago) * time.Millisecond, Gone: parts[i+3] == "1"}
		}
	}
	return found, nil
}

// Leave is a method of fleet.Engine.
func (e *Engine) Leave(ctx context.Context, member string) error {
	client, err := e.now()
	if err != nil {
		return err
	}
	return client.Do(ctx, client.B().Hdel().Key(membersName).Field(member).Build()).Error()
}
