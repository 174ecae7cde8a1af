package redis

import (
	"context"
	"crypto/rand"
	"strconv"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
)

// wantedName is the sorted set of the keys that visitors want, and tokenName names its counts.
const (
	wantedName = prefix + "{fleet}:wanted"
	tokenName  = prefix + "{fleet}:wanted:token"
)

// wantScript adds changes to the counts. KEYS[1] is the sorted set and KEYS[2] its token, which
// expires; a set of another type is replaced. The set keeps the 2,000 highest counts.
var wantScript = valkey.NewLuaScript(`
local token = redis.pcall('GET', KEYS[2])
if type(token) ~= 'string' or redis.call('TYPE', KEYS[1]).ok == 'string' then
  redis.call('DEL', KEYS[1])
  token = ARGV[2]
  redis.call('SET', KEYS[2], token, 'PX', ARGV[3])
end
if token ~= ARGV[1] then return {token} end
for i = 6, #ARGV, 2 do redis.call('ZINCRBY', KEYS[1], ARGV[i + 1], ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', 0)
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -2001)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local keys = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', ARGV[5], 'LIMIT', 0, ARGV[4])
table.insert(keys, 1, token)
return keys`)

// Want is a method of fleet.Engine.
func (e *Engine) Want(ctx context.Context, r wanted.Report, lasts time.Duration) (c wanted.Counts, err error) {
	args := []string{r.Token, rand.Text(), milliseconds(lasts), strconv.Itoa(r.Limit), strconv.Itoa(r.Least)}
	for key, change := range r.Changes {
		args = append(args, key, strconv.FormatInt(change, 10))
	}
	parts, err := e.run(ctx, wantScript, []string{wantedName, tokenName}, args...).AsStrSlice()
	switch {
	case err != nil:
		return c, fault(err)
	case len(parts) == 0:
		return c, errAnswer
	}
	return wanted.Counts{Token: parts[0], Keys: parts[1:]}, nil
}
