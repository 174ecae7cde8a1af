package redis

import (
	"context"
	"crypto/rand"
	"strconv"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
)

// wantedName is the sorted set of the keys that visitors want, and tokenName names its counts.
const (
	wantedName = prefix + "{fleet}:wanted"
	tokenName  = prefix + "{fleet}:wanted:token"
)

// wantScript adds changes to the counts. KEYS[1] is the sorted set and KEYS[2] its token, which
// expires. The set keeps the 2,000 highest counts, without counts that no fleet reaches.
var wantScript = script(`
local token, most = text(KEYS[2], 64), tonumber(ARGV[6])
is(KEYS[1], 'zset')
local left = redis.call('PTTL', KEYS[2])
if not token or #bad > 0 or left < 0 or left > 86400000 then
  redis.call('DEL', KEYS[1])
  token = ARGV[2]
  redis.call('SET', KEYS[2], token, 'PX', ARGV[3])
end
if token ~= ARGV[1] then return {bad, {token}} end
redis.call('ZREMRANGEBYSCORE', KEYS[1], 1e15, '+inf')
for i = 7, #ARGV, 2 do
  local set = #ARGV[i] <= most and redis.pcall('ZINCRBY', KEYS[1], ARGV[i + 1], ARGV[i])
  if failed(set) then
    if string.find(set.err, '^OOM') then return set end
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', 0)
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -2001)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local result = {token}
for _, key in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', ARGV[5], 'LIMIT', 0, ARGV[4])) do
  if #key <= most then result[#result + 1] = key else redis.call('ZREM', KEYS[1], key) end
end
return {bad, result}`)

// Want is a method of fleet.Engine.
func (e *Engine) Want(ctx context.Context, r wanted.Report, lasts time.Duration) (c wanted.Counts, err error) {
	args := []string{r.Token, rand.Text(), milliseconds(lasts), strconv.Itoa(r.Limit), strconv.Itoa(r.Least), mostKey}
	for key, change := range r.Changes {
		args = append(args, key, strconv.FormatInt(change, 10))
	}
	parts, err := e.list(ctx, wantScript, []string{wantedName, tokenName}, args...)
	switch {
	case err != nil:
		return c, err
	case len(parts) == 0:
		return c, errAnswer
	}
	return wanted.Counts{Token: parts[0], Keys: parts[1:]}, nil
}
