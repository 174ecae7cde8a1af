package redis

import "github.com/valkey-io/valkey-go"

// The operations, as scripts: the server runs each without any other command in between.
// KEYS[1] is the value and KEYS[2] the lock of a name. A lock is its token, followed by a +
// once another token waits for it: most answers are filled while no other member waits, and
// a message goes to all members.
var (
	claimScript = valkey.NewLuaScript(`
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'table' then -- of another type
  redis.call('DEL', KEYS[1])
  value = false
end
if value and (ARGV[3] == '0' or string.byte(value, 1) == 49) then return {1, value} end
local set = redis.pcall('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
if type(set) == 'table' and set.err then return {4, set.err} end
if set then return {2} end
local lock = redis.pcall('GET', KEYS[2])
if type(lock) == 'string' and string.sub(lock, -1) ~= '+' then
  local marked = redis.pcall('APPEND', KEYS[2], '+')
  if type(marked) == 'table' then return {4, marked.err} end
end
local left = redis.call('PTTL', KEYS[2])
if left < 0 then -- of no member: each sets a lease
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[2], left)
end
return {3, left}`)

	extendScript = valkey.NewLuaScript(`
local lock = redis.pcall('GET', KEYS[1])
if lock == ARGV[1] or lock == ARGV[1] .. '+' then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`)

	putScript = valkey.NewLuaScript(`
local set = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
local lock = redis.pcall('GET', KEYS[2])
if type(lock) ~= 'string' then lock = '' end
if lock == ARGV[1] or lock == ARGV[1] .. '+' then redis.call('DEL', KEYS[2]) end
if string.sub(lock, -1) == '+' then redis.call('PUBLISH', ARGV[4], KEYS[1]) end
if type(set) == 'table' and set.err then return set.err end
return ''`)

	releaseScript = valkey.NewLuaScript(`
local lock = redis.pcall('GET', KEYS[2])
if type(lock) ~= 'string' then lock = '' end
if lock == ARGV[1] or lock == ARGV[1] .. '+' then redis.call('DEL', KEYS[2]) end
if string.sub(lock, -1) == '+' then redis.call('PUBLISH', ARGV[2], KEYS[1]) end
return 1`)

	// KEYS[1] is the series and KEYS[2] the log. A log without a series, a log to which
	// nothing can be added, and values of other types are replaced like a lost log.
	syncScript = valkey.NewLuaScript(`
local series = redis.pcall('GET', KEYS[1])
local last = redis.pcall('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if type(series) == 'string' and series ~= '' and type(last) == 'table' then return {series, last[1]} end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return {ARGV[1], redis.call('XADD', KEYS[2], '*', 'event', ARGV[2])}`)

	appendScript = valkey.NewLuaScript(`
if ARGV[2] ~= '' then
  local series = redis.pcall('GET', KEYS[1])
  if type(series) ~= 'string' then return '' end
  if series ~= ARGV[4] then return 'moved' end
end
local id = redis.pcall('XADD', KEYS[2], 'NOMKSTREAM', 'MAXLEN', '~', 1000, '*', 'event', ARGV[1])
if not id then return '' end
if type(id) == 'table' then
  if string.find(id.err, '^WRONGTYPE') or string.find(id.err, 'exhausted') then
    redis.call('DEL', KEYS[2])
    return ''
  end
  return id
end
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2]) end
redis.call('PUBLISH', ARGV[3], id)
return id`)

	// KEYS[1] is the hash of the members: when each was last alive, by the server's clock,
	// a colon, and its state. KEYS[2] is the same, by name, of the members that are gone. The
	// result has four texts for each member: its ID, its state, for how many milliseconds it
	// has not reported, and whether it is gone.
	beatScript = valkey.NewLuaScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function stamped(info) return string.format('%.0f', now) .. ':' .. info end
local function name(id, info)
  local ok, state = pcall(cjson.decode, info)
  if ok and type(state) == 'table' and type(state.name) == 'string' then return state.name end
  return id
end
local function write(key, field, value)
  local set = redis.pcall('HSET', key, field, value)
  if type(set) == 'table' and string.find(set.err, '^WRONGTYPE') then
    redis.call('DEL', key)
    set = redis.pcall('HSET', key, field, value)
  end
  return set
end
local set = write(KEYS[1], ARGV[1], stamped(ARGV[2]))
if type(set) == 'table' then return set end
if redis.call('EXISTS', KEYS[2]) == 1 then redis.pcall('HDEL', KEYS[2], name(ARGV[1], ARGV[2])) end
if ARGV[4] == '0' then return {} end
local found = {}
local function list(key, lasts, gone, late)
  local all = redis.pcall('HGETALL', key)
  for i = 1, #all, 2 do
    local at, info = string.match(all[i + 1], '^(%d+):(.*)$')
    if at and now - at <= tonumber(lasts) then
      for _, text in ipairs({all[i], info, string.format('%.0f', now - at), gone}) do found[#found + 1] = text end
    else
      redis.call('HDEL', key, all[i])
      if at and late then late(all[i], info, all[i + 1]) end
    end
  end
end
list(KEYS[1], ARGV[3], '0', function(id, info, report) write(KEYS[2], name(id, info), report) end)
list(KEYS[2], ARGV[5], '1')
return found`)
)
