package maintenance

import (
	"fmt"
	"time"
)

const (
	// defaultWait is announced while no end is announced.
	defaultWait = 30 * time.Minute
	// minWait is the shortest Retry-After.
	minWait = time.Minute
)

// RetryAfter returns how long a client should wait before its next request, in
// whole seconds.
func (p *Period) RetryAfter(now time.Time) time.Duration {
	if p.Until == nil {
		return defaultWait
	}
	return max(minWait, roundUp(p.Until.Sub(now), time.Second))
}

// Notice announces the end of the period in a sentence without its full stop.
func (p *Period) Notice(now time.Time) string {
	const day = 24 * time.Hour
	if p.Until == nil {
		return "Please check back in about 30 minutes"
	}
	switch left := p.Until.Sub(now); {
	case left <= 0:
		return "We should be back any minute now"
	case left <= time.Minute:
		return "Please check back in a minute"
	case left <= 90*time.Minute:
		return fmt.Sprintf("Please check back in %d minutes", roundUp(left, time.Minute)/time.Minute)
	case left < 36*time.Hour:
		return fmt.Sprintf("Please check back in about %d hours", left.Round(time.Hour)/time.Hour)
	default:
		return fmt.Sprintf("Please check back in about %d days", left.Round(day)/day)
	}
}

func roundUp(d, unit time.Duration) time.Duration { return (d + unit - 1).Truncate(unit) }

// clock formats a time of day, with its date unless that is today's.
func clock(at, now time.Time) string {
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format("3:04 PM MST")
	}
	return at.Format("Monday, January 2, 3:04 PM MST")
}
