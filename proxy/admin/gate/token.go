package gate

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// digest is the hash of a secret, so that a comparison takes the same time for every
// length.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

func (d digest) equals(other digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// checkToken compares a token. Wrong tokens are limited for each address: over the
// limit no token is compared, so that guessing gains nothing.
func (g *Gate) checkToken(from netip.Addr, token string) Verdict {
	right, wait := g.limiter.try(from, func() bool { return g.opts.Token != "" && g.token.equals(digestOf(token)) })
	switch {
	case wait > 0:
		v := refuse(http.StatusTooManyRequests, CauseLimited, "Too many wrong admin tokens came from this address. Try again later")
		v.Wait = wait
		return v
	case !right:
		return refuse(http.StatusForbidden, CauseToken, onlyHere+"the token is wrong")
	}
	return admit(ByToken)
}

const (
	// burst is the number of wrong tokens that an address may send in a row; after
	// each pause it may send one more.
	burst, pause = 10, 10 * time.Second
	// maxAddresses limits the table of addresses. Further addresses share one
	// allowance.
	maxAddresses = 1024
	// An address is logged once in logEvery, and all addresses together at most
	// maxLogged times in it.
	logEvery, maxLogged = time.Minute, 10
)

// limiter limits wrong tokens, by address. It is safe for concurrent use.
type limiter struct {
	now func() time.Time
	log *slog.Logger

	mu        sync.Mutex
	addresses map[netip.Prefix]*allowance
	others    allowance // of addresses that found the table full
	swept     time.Time
	window    time.Time // since when logged counts
	logged    int
	unlogged  int64 // wrong tokens since the last line
}

// allowance is the number of wrong tokens that are still permitted.
type allowance struct {
	whole  time.Time // the time at which it is burst again
	logged time.Time
}

func (l *limiter) init(opts Options) {
	l.now, l.log, l.addresses = opts.Now, opts.Logger, map[netip.Prefix]*allowance{}
}

// try calls right, which compares a token, and charges the address if the token is
// wrong. A positive wait means that the address has used up its allowance; right was
// not called then. Concurrent attempts are counted one after the other.
func (l *limiter) try(from netip.Addr, right func() bool) (ok bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	a := l.find(from, now)
	if a.whole.Before(now) {
		a.whole = now
	}
	if wait = a.whole.Sub(now) - (burst-1)*pause; wait > 0 {
		l.unlogged++
		return false, wait
	}
	if right() {
		return true, 0
	}
	a.whole = a.whole.Add(pause)
	if a != &l.others {
		l.addresses[network(from)] = a
	}
	l.unlogged++
	l.report(from, a, now)
	return false, 0
}

// find returns the allowance of an address. An address that has sent no wrong token is
// not in the table.
func (l *limiter) find(from netip.Addr, now time.Time) *allowance {
	if a := l.addresses[network(from)]; a != nil {
		return a
	}
	if len(l.addresses) >= maxAddresses {
		l.sweep(now)
	}
	if len(l.addresses) >= maxAddresses {
		return &l.others
	}
	return &allowance{}
}

// sweep removes the addresses whose allowance is complete again, once in a pause.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < pause {
		return
	}
	l.swept = now
	for from, a := range l.addresses {
		if !a.whole.After(now) {
			delete(l.addresses, from)
		}
	}
}

// report logs a wrong token, unless the log limit of its address or of all addresses
// is reached.
func (l *limiter) report(from netip.Addr, a *allowance, now time.Time) {
	if now.Sub(l.window) >= logEvery {
		l.window, l.logged = now, 0
	}
	if l.logged >= maxLogged || now.Sub(a.logged) < logEvery {
		return
	}
	address := "unknown"
	if from.IsValid() {
		address = from.String()
	}
	a.logged, l.logged = now, l.logged+1
	l.log.Warn("wrong admin token", "address", address, "wrong_since_last_report", l.unlogged)
	l.unlogged = 0
}

// network returns the prefix whose wrong tokens are counted together: a client has a
// whole IPv6 network.
func network(address netip.Addr) netip.Prefix {
	bits := 32
	if address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits) // the zero Prefix for the zero Addr
	return prefix
}
