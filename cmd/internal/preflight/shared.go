package preflight

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/proxy/fleet/redis/survey"
)

// sharedTimes are the limits of the survey of the shared level.
var sharedTimes = survey.Limits{Use: callTimeout, Ask: callTimeout / 2}

// slowLevel is the time of a reply from which the proxies do without the shared level.
const slowLevel = 50 * time.Millisecond

// checkSharedLevel uses the shared level as a proxy of the fleet does.
func checkSharedLevel(i *inspection, ctx context.Context) finding {
	if i.cfg.Cache.Shared == "" {
		return skip("SHARED_CACHE is not set")
	}
	level, err := survey.Of(ctx, string(i.cfg.Cache.Shared), sharedTimes)
	if why := (*survey.Fault)(nil); errors.As(err, &why) {
		return noGo(why.Remedy, "%s", why.Reason)
	}
	if err != nil {
		return noGo("raise --timeout", "not checked: %v", err)
	}
	return levelFinding(level)
}

func levelFinding(level survey.Level) finding {
	var parts []finding
	text := ""
	for _, s := range level.Servers {
		parts = append(parts, memoryOf(s))
		limit := "no limit"
		if s.Limit > 0 {
			limit = console.Bytes(s.Limit)
		}
		text += "; " + s.Version + " at " + s.Addr + " uses " + console.Bytes(s.Used) + " of " + limit + ", maxmemory-policy " + s.Policy
	}
	if level.Full {
		parts = append(parts, warn("set maxmemory-policy volatile-lru, or raise maxmemory", "the shared level is full now, and shares nothing new"))
	}
	if level.Took >= slowLevel {
		parts = append(parts, warn("place the server nearer to the proxies, or find its load",
			"a reply takes %s: the proxies do without a level that takes %s or longer", round(level.Took), slowLevel))
	}
	return worst(pass("a reply takes %s%s", round(level.Took), text), parts...)
}

// memoryOf judges the memory limit of a server and its policy at the limit.
func memoryOf(s survey.Server) finding {
	const remedy = "set maxmemory 256mb and maxmemory-policy volatile-lru in " // as in config/deploy/README.md
	switch {
	case s.Limit == 0:
		return warn(remedy+s.Addr, "%s has no memory limit: it grows until the machine has no more", s.Version)
	case s.Policy == "noeviction":
		return warn(remedy+s.Addr, "%s removes nothing once its %s are full: answers and actions are not shared then", s.Version, console.Bytes(s.Limit))
	case strings.HasPrefix(s.Policy, "allkeys-"):
		return warn(remedy+s.Addr, "%s may remove the log of actions (maxmemory-policy %s): all entries become stale then", s.Version, s.Policy)
	}
	return pass("")
}
