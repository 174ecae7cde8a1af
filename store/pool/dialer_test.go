package pool

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/storetest/relay"
)

// hosts starts relays to the shared server on addresses that share a port.
func hosts(t *testing.T, n int) (opts Options, relays []*relay.Relay, target string) {
	t.Helper()
	opts = account(t, shared(t), "")
	target = net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port))
	first := relay.Start(t, "127.0.0.2:0", target)
	opts.Host, opts.Port = first.Addr()
	relays = []*relay.Relay{first}
	for i := 1; i < n; i++ {
		host := fmt.Sprintf("127.0.0.%d", 2+i)
		opts.Host += ", " + host
		relays = append(relays, relay.Start(t, net.JoinHostPort(host, strconv.Itoa(opts.Port)), target))
	}
	return opts, relays, target
}

// The first of several hosts that answers is used, whether the others refuse
// connections or do not answer. The first host is used again once it answers.
func TestHostsInOrder(t *testing.T) {
	for name, fail := range map[string]func(*relay.Relay){
		"refuses":      (*relay.Relay).Close,
		"says nothing": func(r *relay.Relay) { r.Silence(true); r.Cut() },
	} {
		t.Run(name, func(t *testing.T) {
			opts, relays, target := hosts(t, 3)
			p := open(t, opts)
			fill(t, p, 2)
			if relays[1].Accepted()+relays[2].Accepted() != 0 {
				t.Error("a later host is used while the first answers")
			}
			fail(relays[0])
			mustRead(t, p, "SELECT 1")
			if _, err := pollOnce(t.Context(), p, "SELECT 1"); err != nil {
				t.Error(err)
			}
			if relays[1].Accepted() == 0 || relays[2].Accepted() != 0 {
				t.Errorf("%d and %d connections to the others", relays[1].Accepted(), relays[2].Accepted())
			}
			fail(relays[1])
			mustRead(t, p, "SELECT 1")
			if relays[2].Accepted() == 0 {
				t.Error("the third host is not used")
			}

			if name == "refuses" {
				host, port := relays[0].Addr()
				relays[0] = relay.Start(t, net.JoinHostPort(host, strconv.Itoa(port)), target)
			}
			relays[0].Silence(false)
			await(t, "back at the first host", func() bool {
				if _, err := pollOnce(t.Context(), p, "SELECT 1"); err != nil {
					t.Fatal(err)
				}
				return p.dialer.order()[0] == p.dialer.hosts[0]
			})
			later := relays[2].Accepted()
			mustRead(t, p, "SELECT 1")
			fill(t, p, 3)
			for _, l := range p.stock.all() {
				if l.server != p.dialer.hosts[0] {
					t.Errorf("a connection to %s is still used", l.server.name)
				}
			}
			if relays[2].Accepted() != later {
				t.Error("the third host is used although the first answers")
			}
		})
	}
}

// If no host answers, the error names the failure of each host and is an outage.
func TestNoHostAnswers(t *testing.T) {
	opts, relays, _ := hosts(t, 2)
	for _, r := range relays {
		r.Close()
	}
	_, err := read(t.Context(), open(t, opts), "SELECT 1")
	if !errors.Is(err, dberror.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	for _, r := range relays {
		if host, _ := r.Addr(); err == nil || !strings.Contains(err.Error(), host) {
			t.Errorf("%v does not name %s", err, host)
		}
	}
}

// A host that denies the login is not skipped.
func TestDeniedLoginIsNoReasonForTheNextHost(t *testing.T) {
	opts, relays, _ := hosts(t, 2)
	opts.Password = "x"
	if _, err := read(t.Context(), open(t, opts), "SELECT 1"); !errors.Is(err, dberror.ErrSetup) || relays[1].Accepted() != 0 {
		t.Errorf("%v, %d connections to the second host", err, relays[1].Accepted())
	}
}
