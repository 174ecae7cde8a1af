package survey

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"
)

func fault(remedy, reason string, args ...any) *Fault {
	return &Fault{Reason: fmt.Sprintf(reason, args...), Remedy: remedy}
}

// place says how to reach the servers of a URL.
type place struct {
	network        string
	addrs          []string
	secure         *tls.Config // nil without TLS
	user, password string
	master         string        // the name for Sentinels; empty without any
	most           time.Duration // for each connection
}

func placeOf(text string, most time.Duration) (p place, err error) {
	o, err := valkey.ParseURL(text)
	if err != nil {
		return p, err
	}
	p = place{"tcp", o.InitAddress, o.TLSConfig, o.Username, o.Password, o.Sentinel.MasterSet, most}
	if o.DialCtxFn != nil {
		p.network = "unix"
	}
	return p, nil
}

// ofSentinels returns the place with the account for the Sentinels.
func (p place) ofSentinels(text string) place {
	if u, err := url.Parse(text); err == nil && (u.Query().Has("sentinel_username") || u.Query().Has("sentinel_password")) {
		p.user, p.password = u.Query().Get("sentinel_username"), u.Query().Get("sentinel_password")
	}
	return p
}

// explain asks the servers of a URL themselves why a level can't be used. Without an
// explanation the reason is the cause.
func explain(ctx context.Context, text string, most time.Duration, cause error) *Fault {
	p, err := placeOf(text, most)
	if err != nil {
		return fault("check SHARED_CACHE", "%v", err)
	}
	var first *Fault
	for _, addr := range p.addrs {
		var why *Fault
		if p.master != "" {
			why = p.ofSentinels(text).explainSentinel(ctx, addr, p)
		} else {
			why = p.explainServer(ctx, addr)
		}
		if why == nil { // the others may be down
			return fault("check SHARED_CACHE, and the log of Redis", "%v", cause)
		}
		if first == nil || first.unreached && !why.unreached {
			first = why
		}
	}
	return first
}

// greet connects to a server and logs in.
func (p place) greet(ctx context.Context, addr string) (*talk, *Fault) {
	if p.secure != nil && p.isRedis(ctx, addr, nil) { // it may wait for the end of a handshake
		return nil, fault("write redis:// instead of rediss://, or let Redis listen with tls-port", "%s speaks no TLS", addr)
	}
	t, err := p.begin(ctx, addr, p.secure)
	switch {
	case err != nil && isDial(err):
		why := fault("check the address in SHARED_CACHE, and that the server runs and listens there", "no server: %v", err)
		why.unreached = true
		return nil, why
	case err != nil:
		return nil, fault("check the certificate of the server and the authorities that this machine trusts", "%s: TLS: %v", addr, err)
	}
	if why := p.logIn(ctx, t, addr); why != nil {
		t.end()
		return nil, why
	}
	return t, nil
}

// isDial reports whether an error comes before the first byte.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func (p place) logIn(ctx context.Context, t *talk, addr string) *Fault {
	var err error
	var refused refusal
	if p.password != "" {
		if _, err = t.ask("AUTH", cmp.Or(p.user, "default"), p.password); err != nil && strings.Contains(err.Error(), "wrong number") { // before Redis 6
			_, err = t.ask("AUTH", p.password)
		}
		if errors.As(err, &refused) {
			return fault("check the user and the password in SHARED_CACHE; special characters are percent-encoded", "%s refuses the account: %s", addr, refused)
		}
	}
	if err == nil {
		_, err = t.ask("PING")
	}
	switch isRefused := errors.As(err, &refused); {
	case isRefused && strings.HasPrefix(err.Error(), "NOAUTH"):
		return fault("write the password in SHARED_CACHE: redis://:password@host", "%s wants a password", addr)
	case isRefused:
		return fault("check the rights of the account, and protected-mode and bind of the server", "%s refuses the connection: %s", addr, firstSentence(refused))
	case err == nil:
		return nil
	case p.secure == nil && p.network == "tcp" && p.isRedis(ctx, addr, &tls.Config{InsecureSkipVerify: true}):
		return fault("write rediss:// instead of redis://", "%s speaks TLS only", addr)
	}
	return fault("check the address in SHARED_CACHE", "%s: %v: %v", addr, errNoRedis, err)
}

// firstSentence shortens the long advice of Redis in protected mode.
func firstSentence(r refusal) string {
	text, _, _ := strings.Cut(string(r), ". ")
	return text
}

// explainServer asks a server that should hold values itself.
func (p place) explainServer(ctx context.Context, addr string) *Fault {
	t, why := p.greet(ctx, addr)
	if why != nil {
		return why
	}
	defer t.end()
	info, err := t.ask("INFO", "server")
	if err == nil && strings.Contains(strings.Join(info, ""), "redis_mode:sentinel") {
		return fault("add ?master_set=NAME to SHARED_CACHE", "%s is a Sentinel, which holds no values; it watches %s", addr, watched(t))
	}
	if len(p.addrs) == 1 {
		return nil
	}
	state, err := t.ask("CLUSTER", "INFO")
	switch {
	case err != nil:
		return fault("name one server, without addr=; for Sentinels add &master_set=NAME", "%s is no node of a cluster, and SHARED_CACHE has %d addresses: %v", addr, len(p.addrs), err)
	case !strings.Contains(strings.Join(state, ""), "cluster_state:ok"):
		return fault("check the nodes of the cluster and their slots", "the cluster of %s does not serve", addr)
	}
	return nil
}

// explainSentinel asks a Sentinel for the primary, and then the primary, with the account in
// data.
func (p place) explainSentinel(ctx context.Context, addr string, data place) *Fault {
	t, why := p.greet(ctx, addr)
	if why != nil {
		return why
	}
	defer t.end()
	at, err := t.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", p.master)
	switch {
	case err != nil:
		return fault("leave out master_set, or name the addresses of the Sentinels, port 26379", "%s is no Sentinel: %v", addr, err)
	case len(at) != 2:
		return fault("check master_set in SHARED_CACHE", "the Sentinel at %s watches no primary named %q; it watches %s", addr, p.master, watched(t))
	}
	primary, why := data.greet(ctx, net.JoinHostPort(at[0], at[1]))
	if why != nil {
		return fault(why.Remedy, "the primary that the Sentinel names: %s", why.Reason)
	}
	primary.end()
	return nil
}

// watched returns the names of the primaries that a Sentinel watches.
func watched(t *talk) string {
	texts, err := t.ask("SENTINEL", "MASTERS")
	if err != nil {
		return "primaries that it does not name: " + err.Error()
	}
	var names []string
	for i := range len(texts) - 1 {
		if texts[i] == "name" {
			names = append(names, texts[i+1])
		}
	}
	if names == nil {
		return "none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
