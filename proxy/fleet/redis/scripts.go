package redis

import "github.com/valkey-io/valkey-go"

// common begins each script. Anyone may have written to the server: a script removes each
// value that no member can have written, and goes on as if there had been none. It returns
// the names of the removed values, and its result.
const common = `
local bad = {}
local function drop(key)
  redis.call('DEL', key)
  bad[#bad + 1] = key
end
local function is(key, kind)
  local now = redis.call('TYPE', key).ok
  if now == kind then return true end
  if now ~= 'none' then drop(key) end
  return false
end
local function text(key, most)
  local value = redis.pcall('GET', key)
  if value and (type(value) ~= 'string' or value == '' or #value > tonumber(most)) then
    drop(key)
    return false
  end
  return value
end
local function failed(reply) return type(reply) == 'table' and reply.err end
`

// script returns a script with the common begin.
func script(text string) *valkey.Lua { return valkey.NewLuaScript(common + text) }

// The operations, as scripts: the server runs each without any other command in between.
// KEYS[1] is the value and KEYS[2] the lock of a name. A lock is its token, followed by a +
// once another token waits for it: most answers are filled while no other member waits, and
// a message goes to all members.
var (
	claimScript = script(`
local value = text(KEYS[1], ARGV[4])
if value and (ARGV[3] == '0' or string.byte(value, 1) == 49) then return {bad, {1, value}} end
local set = redis.pcall('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
if failed(set) then return {bad, {4, set.err}} end
if set then return {bad, {2}} end
local lock = redis.pcall('GET', KEYS[2])
if type(lock) == 'string' and string.sub(lock, -1) ~= '+' then
  local marked = redis.pcall('APPEND', KEYS[2], '+')
  if failed(marked) then return {bad, {4, marked.err}} end
end
local left = redis.call('PTTL', KEYS[2])
if left < 0 or left > 10 * ARGV[2] then -- of no member: each sets a lease
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[2], left)
end
return {bad, {3, left}}`)

	extendScript = script(`
local lock = redis.pcall('GET', KEYS[1])
if lock == ARGV[1] or lock == ARGV[1] .. '+' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {bad, ''}`)

	putScript = script(`
local set = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
local lock = redis.pcall('GET', KEYS[2])
if type(lock) ~= 'string' then lock = '' end
if lock == ARGV[1] or lock == ARGV[1] .. '+' then redis.call('DEL', KEYS[2]) end
if string.sub(lock, -1) == '+' then redis.call('PUBLISH', ARGV[4], KEYS[1]) end
return {bad, failed(set) or ''}`)

	releaseScript = script(`
local lock = redis.pcall('GET', KEYS[2])
if type(lock) ~= 'string' then lock = '' end
if lock == ARGV[1] or lock == ARGV[1] .. '+' then redis.call('DEL', KEYS[2]) end
if string.sub(lock, -1) == '+' then redis.call('PUBLISH', ARGV[2], KEYS[1]) end
return {bad, ''}`)

	// KEYS[1] is the series, KEYS[2] the log, and KEYS[3] the lasting actions. A log without a
	// series, a log to which nothing can be added, and values of other types are replaced like
	// a lost log.
	syncScript = script(`
local series = text(KEYS[1], ARGV[3])
local last
if is(KEYS[2], 'stream') then
  if redis.call('XLEN', KEYS[2]) > tonumber(ARGV[4]) then drop(KEYS[2])
  else last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1] end
end
local lasting = text(KEYS[3], ARGV[5]) or ''
if series and last then return {bad, {series, last[1], lasting}} end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return {bad, {ARGV[1], redis.call('XADD', KEYS[2], '*', 'event', ARGV[2]), lasting}}`)

	// ARGV[2] and ARGV[4] are the next series and the present, ARGV[5] and ARGV[6] the same of
	// the lasting actions.
	appendScript = script(`
if ARGV[2] ~= '' then
  local series = redis.pcall('GET', KEYS[1])
  if type(series) ~= 'string' then return {bad, ''} end
  if series ~= ARGV[4] then return {bad, 'moved'} end
end
if ARGV[5] ~= '' then
  local lasting = text(KEYS[3], ARGV[7]) or ''
  if lasting ~= ARGV[6] then return {bad, 'moved'} end
end
local id = redis.pcall('XADD', KEYS[2], 'NOMKSTREAM', 'MAXLEN', '~', 1000, '*', 'event', ARGV[1])
if not id then return {bad, ''} end
if failed(id) then
  if string.find(id.err, '^WRONGTYPE') or string.find(id.err, 'exhausted') then
    drop(KEYS[2])
    return {bad, ''}
  end
  return id
end
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2]) end
if ARGV[5] ~= '' then redis.call('SET', KEYS[3], ARGV[5]) end
redis.call('PUBLISH', ARGV[3], id)
return {bad, id}`)

	// KEYS[1] is the log. The result has the ID and the text of each of the first events from
	// an ID on. An event that is too long has no text.
	sinceScript = script(`
local events = {}
if not is(KEYS[1], 'stream') then return {bad, events} end
for _, one in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])) do
  local event = ''
  for i = 1, #one[2], 2 do
    if one[2][i] == 'event' then event = one[2][i + 1] end
  end
  if #event > tonumber(ARGV[3]) then
    event = ''
    bad[#bad + 1] = KEYS[1]
  end
  events[#events + 1] = one[1]
  events[#events + 1] = event
end
return {bad, events}`)
)
