package preload

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	alice = netip.MustParsePrefix("203.0.113.7/32")
	bob   = netip.MustParsePrefix("2001:db8::/64")
)

const (
	front = "/iz/xcri/"
	men   = "/iz/xcri/api/athletes/?season_year=2025&division=2030&gender=M&limit=50000"
	dates = "/iz/xcri/api/snapshots/"
)

func always(string) bool { return true }

// open opens a page for a client, and returns the hint.
func open(l *Learner, client netip.Prefix, page string) string {
	return string(l.Open(client, []byte(page), []byte(`"1"`), always))
}

// ask is a request of a client's page for a list.
func ask(l *Learner, client netip.Prefix, page, target string, size int) {
	referer := []byte("https://rankings.example" + page + "?tab=2")
	if l.Observing() && l.Observes(referer) {
		l.Asked(client, referer, []byte(target), size)
	}
}

// someone returns the client of the nth visit; no two visits have the same client.
func someone(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(n >> 8), byte(n)}), 32)
}

// visited is the number of visits of all tests.
var visited int

// visits are n visits of different clients to a page that requests lists.
func visits(l *Learner, n int, page string, lists ...string) (hints int) {
	for range n {
		visited++
		client := someone(visited)
		if open(l, client, page) != "" {
			hints++
		}
		for _, target := range lists {
			ask(l, client, page, target, len(target)<<10)
		}
		time.Sleep(window)
	}
	return hints
}

// A page gets a hint once ten visits were observed in which nine requested a list, and
// then in all visits but every eighth.
func TestHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		if n := visits(l, 9, front, dates, men) + visits(l, 1, front, dates); n != 0 {
			t.Errorf("%d hints in ten visits", n)
		}
		const want = "<" + men + ">; rel=preload; as=fetch; crossorigin"
		if got := open(l, alice, front); got != want {
			t.Errorf("hint %q", got)
		}
		if n := visits(l, 2*sample, front, dates, men); n != 2*sample-2 {
			t.Errorf("%d hints in %d visits", n, 2*sample)
		}
		if all := l.Hints(); len(all) != 1 || all[0] != (Hint{front, men, 12, 11}) {
			t.Errorf("%+v", all)
		}
		if hint := l.Open(alice, []byte(front), []byte(`"1"`), func(target string) bool { return target != men }); hint != nil {
			t.Errorf("a hint for a list that is no hit: %s", hint)
		}
	})
}

// A list that nine of ten visits do not request is no hint, nor is a small answer, nor
// the list of another client's or another page's visit, nor a request after the window.
func TestNoHint(t *testing.T) {
	for name, visit := range map[string]func(l *Learner, client netip.Prefix, n int){
		"too few visits": func(l *Learner, client netip.Prefix, n int) {
			if n%10 > 1 {
				ask(l, client, front, men, 1<<20)
			}
		},
		"small":           func(l *Learner, client netip.Prefix, _ int) { ask(l, client, front, men, leastSize-1) },
		"another client":  func(l *Learner, _ netip.Prefix, _ int) { ask(l, bob, front, men, 1<<20) },
		"another page":    func(l *Learner, client netip.Prefix, _ int) { ask(l, client, front+"faq", men, 1<<20) },
		"too late":        func(l *Learner, client netip.Prefix, _ int) { time.Sleep(window); ask(l, client, front, men, 1<<20) },
		"another address": func(l *Learner, client netip.Prefix, n int) { ask(l, client, front, fmt.Sprint(men, "&n=", n), 1<<20) },
		"no path":         func(l *Learner, client netip.Prefix, _ int) { ask(l, client, front, "//evil.example/", 1<<20) },
		"a quote":         func(l *Learner, client netip.Prefix, _ int) { ask(l, client, front, `/">`, 1<<20) },
		"a comma":         func(l *Learner, client netip.Prefix, _ int) { ask(l, client, front, `/a,b`, 1<<20) },
		"too long": func(l *Learner, client netip.Prefix, _ int) {
			ask(l, client, front, "/"+strings.Repeat("x", maxTarget), 1<<20)
		},
		"no page": func(l *Learner, client netip.Prefix, _ int) {
			l.Asked(client, []byte("about:blank"), []byte(men), 1<<20)
		},
		"only a host": func(l *Learner, client netip.Prefix, _ int) { l.Asked(client, []byte("https://a"), []byte(men), 1<<20) },
		"twice in every 2nd": func(l *Learner, client netip.Prefix, n int) {
			for range 2 * (n % 2) {
				ask(l, client, front, men, 1<<20)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New()
				for n := range 50 {
					client := someone(n)
					if hint := open(l, client, front); hint != "" {
						t.Fatalf("visit %d: %s", n, hint)
					}
					visit(l, client, n)
					time.Sleep(window)
				}
			})
		})
	}
}

// A single client does not choose the list that all browsers load, however often it opens
// the page.
func TestOneClientGivesNoHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		for n := range 10 * remembered {
			if hint := open(l, alice, front); hint != "" {
				t.Fatalf("visit %d: %s", n, hint)
			}
			ask(l, alice, front, men, 1<<20)
			time.Sleep(window)
		}
		visits(l, 20, front, dates)
		for range 10 * remembered {
			open(l, alice, front)
			ask(l, alice, front, men, 1<<20)
			time.Sleep(window)
		}
		if all := l.Hints(); len(all) != 1 || all[0].List != dates {
			t.Errorf("%+v", all)
		}
	})
}

// A hint whose list is no longer requested is dropped, and a page whose file changes
// begins anew.
func TestHintIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		visits(l, 20, front, men)
		if n := visits(l, 8*sample, front, dates); n == 0 || n > 4*sample {
			t.Errorf("%d hints after the list was last requested", n)
		}
		if all := l.Hints(); len(all) != 0 {
			t.Errorf("%+v", all)
		}
		visits(l, 20, front+"faq", men)
		if hint := l.Open(alice, []byte(front+"faq"), []byte(`"2"`), always); hint != nil {
			t.Errorf("a hint for a new file: %s", hint)
		}
	})
}

// Pages and lists are bounded: the page with the fewest visits is forgotten.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		visits(l, 20, front, men)
		for n := range 2 * maxPages {
			open(l, alice, fmt.Sprint(front, "team/", n))
		}
		if len(l.pages) != maxPages || len(l.Hints()) != 1 {
			t.Errorf("%d pages, hints %+v", len(l.pages), l.Hints())
		}
		long := front + strings.Repeat("x", maxTarget)
		if open(l, alice, long); l.pages[long] != nil {
			t.Error("a long path is kept")
		}
		time.Sleep(window)
		open(l, alice, front+"many")
		for n := range 2 * maxLists {
			ask(l, alice, front+"many", fmt.Sprint("/", n), 1)
		}
		if n := len(l.pages[front+"many"].lists); n != maxLists {
			t.Errorf("%d lists", n)
		}
	})
}

// A nil Learner gives no hints.
func TestNil(t *testing.T) {
	var l *Learner
	if l.Open(alice, []byte(front), nil, always) != nil || l.Observing() || l.Observes([]byte("https://a"+front)) || l.Hints() != nil {
		t.Error("a nil Learner learns")
	}
}

// A Learner can be used concurrently.
func TestConcurrent(t *testing.T) {
	l := New()
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for i := range 500 {
				page := fmt.Sprint(front, (i+n)%3)
				open(l, alice, page)
				ask(l, alice, page, men, 1<<20)
				l.Hints()
			}
		})
	}
	all.Wait()
	if paths := slices.Sorted(func(yield func(string) bool) {
		for p := range l.pages {
			if !yield(p) {
				return
			}
		}
	}); len(paths) != 3 {
		t.Errorf("%q", paths)
	}
}

// BenchmarkObserves is the cost of each hit while a visit to another page is observed.
func BenchmarkObserves(b *testing.B) {
	l := New()
	open(l, alice, front)
	b.ReportAllocs()
	for b.Loop() {
		l.Observes([]byte("https://rankings.example/iz/xcri/team/1"))
	}
}
