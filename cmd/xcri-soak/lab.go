package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-soak/internal/people"
	"github.com/lewistv/xcri-proxy/proxy/pages"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
	"github.com/lewistv/xcri-proxy/store/storetest/relay"
)

// lab is the environment of a run: a proxy between visitors, a database behind a relay,
// and the old API. All fields are set by open.
type lab struct {
	settings
	dir, files string // the proxy's files are in files
	ownDisk    bool   // files is a small file system
	rand       *rand.Rand
	count      *people.Counts
	log        *logFile
	sources
	truth     *truth
	proxies   *proxies
	visitors  *people.Visitors
	published publishes
}

// sources are the servers that the proxy reads from.
type sources struct {
	twin, real *mariadb.Server
	root       *sql.DB // of real
	relay      *relay.Relay
	old        *oldapi.Server
}

// publishes passes the proxy's publishes to the record.
type publishes struct {
	mu     sync.Mutex
	hold   bool     // two processes run
	last   *logLine // while hold
	record func(logLine)
}

func (p *publishes) add(l logLine) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hold {
		p.last = &l
		return
	}
	p.record(l)
}

// during holds the publishes back while f runs two processes: their lines do not say
// which process has published.
func (p *publishes) during(f func() (bool, error)) (bool, error) {
	set := func(hold bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.hold = hold
		if !hold && p.last != nil {
			p.record(*p.last)
			p.last = nil
		}
	}
	set(true)
	defer set(false)
	return f()
}

// open starts everything but the visitors. The caller must call close, also after an
// error.
func (l *lab) open(ctx context.Context) (err error) {
	if l.dir, err = os.MkdirTemp("", "xcri-soak-"); err != nil {
		return err
	}
	l.files = filepath.Join(l.dir, "files")
	if err := os.Mkdir(l.files, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", l.files, "tmpfs", 0, "size=8m,mode=0700"); err == nil {
		l.ownDisk = true
	} else {
		l.log.note("no full disk: %v", err)
	}
	for _, step := range []func(context.Context) error{l.startDatabases, l.startProxy, l.meet} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) close() error {
	var err error
	if l.proxies != nil && l.proxies.current.Load() != nil {
		err = l.proxies.close()
	}
	if l.old != nil {
		l.old.Close()
	}
	if l.truth != nil {
		l.truth.close()
	}
	if l.root != nil {
		l.root.Close()
	}
	if l.relay != nil {
		l.relay.Close()
	}
	for _, db := range []*mariadb.Server{l.twin, l.real} {
		if db != nil {
			db.Close()
		}
	}
	if l.ownDisk {
		err = errors.Join(err, syscall.Unmount(l.files, 0))
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}

func (l *lab) startDatabases(ctx context.Context) error {
	var both sync.WaitGroup
	var err error
	both.Go(func() { l.twin, err = mariadb.Start(mariadb.Options{}) })
	served, err2 := mariadb.Start(mariadb.Options{})
	both.Wait()
	if l.real = served; err != nil || err2 != nil {
		return errors.Join(err, err2)
	}
	if l.root, err = l.real.Root(mariadb.Database); err != nil {
		return err
	}
	targets, err := targets(l.questions)
	if err != nil {
		return err
	}
	if l.truth, err = newTruth(ctx, l.twin, l.real, targets, l.late); err != nil {
		return err
	}
	l.truth.note = l.log.note
	l.relay, err = relay.New("127.0.0.1:0", net.JoinHostPort(l.real.Host, fmt.Sprint(l.real.Port)))
	return err
}

// targets returns the warm set's lists and the targets of recorded requests; at most n
// unless n is zero.
func targets(n int) (all []string, err error) {
	recorded, err := storetest.Answers()
	if err != nil {
		return nil, err
	}
	for _, r := range recorded {
		if r.Status == http.StatusOK || r.Status == http.StatusNotFound {
			all = append(all, r.Request)
		}
	}
	if n > 0 && len(all) > n {
		step := len(all) / n
		for i := range n {
			all[i] = all[i*step]
		}
		all = all[:n]
	}
	return append(all, warmTargets()...), nil
}

// warmTargets returns the targets of the site, of the sample data.
func warmTargets() []string {
	all := pages.Default()
	for _, division := range []string{"2030", "2032", "19781"} {
		for _, gender := range []string{"M", "F"} {
			for _, checkpoint := range []string{store.Live, "2025-10-20"} {
				all = append(all, pages.Lists(store.Scope{Season: "2025", Division: division, Gender: gender, Checkpoint: checkpoint})...)
			}
		}
	}
	return all
}

func (l *lab) startProxy(ctx context.Context) (err error) {
	key := func(target string) string {
		q, err := l.truth.router.Resolve(target)
		if err != nil {
			return target
		}
		return q.Key
	}
	if l.old, err = oldapi.New(oldapi.Options{Workers: 4, Key: key, Answer: l.truth.old}); err != nil {
		return err
	}
	addr, err := port.FreeAddress()
	if err != nil {
		return err
	}
	program := filepath.Join(l.dir, "xcri-proxy")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/lewistv/xcri-proxy/cmd/xcri-proxy").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	host, port := l.relay.Addr()
	l.published.record = func(line logLine) {
		l.count.Add("publishes")
		if !l.truth.record.Published(line.Generation, line.Failed == 0 && line.Keys >= len(warmTargets())) {
			l.count.Add("published generations of no state")
			l.log.note("UNKNOWN generation published: %s", line.Generation)
		}
	}
	l.proxies = &proxies{program: program, addr: addr, log: l.log.proxy, supervised: true, line: func(line logLine) {
		if line.Msg == "generation published" && line.Generation != "" { // it has none if lines were suppressed
			l.published.add(line)
		}
		if line.Level == "ERROR" || line.Level == "WARN" {
			l.count.Add("log: " + line.Msg)
		}
	}}
	l.proxies.env = append([]string{
		"LISTEN_ADDR=" + addr, "SOURCE=auto", "LEGACY_URL=" + l.old.URL(), "DATABASE_HOST=" + host, fmt.Sprint("DATABASE_PORT=", port),
		"DATABASE_NAME=" + mariadb.Database, "DATABASE_USER=" + mariadb.Reader, "DATABASE_PASSWORD=" + mariadb.Password,
		"CACHE_FILE=" + filepath.Join(l.files, "cache"), "STATE_FILE=" + filepath.Join(l.files, "state"), "PID_FILE=" + filepath.Join(l.dir, "pid"),
		"SETTLE=2s", "IMPLAUSIBLE_AFTER=45s", "CACHE_BYTES=8MiB", "SLOW_REQUEST=0s", "SLOW_FILL=0s", "SHUTDOWN_TIMEOUT=5s",
	}, l.env...)
	if err := l.proxies.open(); err != nil {
		return err
	}
	if err := l.proxies.start(ctx); err != nil {
		return err
	}
	return l.proxies.await(ctx, "the warm set", func() bool { return l.proxies.status("/readyz") == http.StatusOK })
}

// meet prepares the visitors.
func (l *lab) meet(context.Context) error {
	warm := map[string]bool{}
	for _, target := range warmTargets() {
		if q, err := l.truth.router.Resolve(target); err == nil {
			warm[q.Key] = true
		}
	}
	o := people.Options{Base: "http://" + l.proxies.addr, Record: l.truth.record, Dir: l.out, Count: l.count, Note: l.log.note,
		Down: &l.proxies.down, Killed: &l.proxies.killed, Pause: l.pause}
	for key := range l.truth.keys {
		q := people.Question{Target: key, Key: key, Warm: warm[key]}
		if q.Warm {
			o.Hot = append(o.Hot, q)
		} else {
			o.Cold = append(o.Cold, q)
		}
	}
	for _, all := range [][]people.Question{o.Hot, o.Cold} { // the order of a map would not depend on the seed
		slices.SortFunc(all, func(a, b people.Question) int { return strings.Compare(a.Key, b.Key) })
	}
	l.visitors = people.NewVisitors(o)
	return nil
}

// run runs visitors, changes, attacks and faults for the length of the run.
func (l *lab) run(ctx context.Context) error {
	ctx, stop := context.WithTimeoutCause(ctx, l.length, errOver)
	defer stop()
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	spawn := func(f func() error) {
		all.Go(func() {
			if err := f(); err != nil && ctx.Err() == nil {
				failed.Store(&err)
				stop()
			}
		})
	}
	for n := range l.clients {
		spawn(func() error { l.visitors.Visit(ctx, n, l.seed); return nil })
	}
	spawn(func() error { l.proxies.watchMemory(ctx, l.log.note); return nil })
	c := &changer{truth: l.truth, rand: rand.New(rand.NewPCG(l.seed, 1001)), scopes: scopes(), count: l.count}
	changing, end := context.WithCancel(ctx)
	spawn(func() error { return c.run(changing, l.changePause) })
	spawn(func() error { defer end(); return l.disturb(ctx) })
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

var errOver = errors.New("the run is over")

// disturb alternates storms of faults and attacks with calms.
func (l *lab) disturb(ctx context.Context) error {
	crowd := &people.Crowd{Addr: l.proxies.addr, Count: l.count, Lists: []string{"/athletes/?season_year=2025&division=2030&gender=M&limit=50000", "/athletes/?season_year=2025&limit=50000"}}
	attackers := rand.New(rand.NewPCG(l.seed, 1002))
	for {
		l.log.note("storm")
		storm, end := context.WithCancel(ctx)
		var attacking sync.WaitGroup
		attacking.Go(func() { l.attack(storm, crowd, attackers) })
		err := l.storm(ctx)
		end()
		attacking.Wait()
		if err != nil {
			return err
		}
		l.log.note("calm; so far:%s", l.count)
		if !people.Sleep(ctx, l.calm) {
			return nil
		}
	}
}

func (l *lab) attack(ctx context.Context, c *people.Crowd, r *rand.Rand) {
	for {
		for _, i := range r.Perm(len(people.Attacks)) {
			l.log.note("attack: %s", people.Attacks[i].Name)
			now, end := context.WithTimeout(ctx, l.attackTime)
			people.Attacks[i].Do(c, now, r)
			end()
			if !people.Sleep(ctx, l.attackTime/2) {
				return
			}
		}
	}
}

// storm makes each fault once, in random order.
func (l *lab) storm(ctx context.Context) error {
	for _, i := range l.rand.Perm(len(faults)) {
		d := duration(l.rand, l.longest)
		l.log.note("fault: %s for %v", faults[i].name, d.Round(time.Millisecond))
		over := l.truth.record.Fault()
		err := faults[i].make(l, ctx, d)
		over()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", faults[i].name, err)
		}
		l.count.Add("fault: " + faults[i].name)
		if !people.Sleep(ctx, duration(l.rand, l.faultPause)) {
			return nil
		}
	}
	return nil
}

// scopes are the scopes of the sample data that imports write.
func scopes() (all []importer.Scope) {
	for _, division := range []int{2030, 2032, 19781} {
		for _, gender := range []string{"M", "F"} {
			all = append(all, importer.Scope{Season: 2025, Division: division, Gender: gender},
				importer.Scope{Season: 2025, Division: division, Gender: gender, Checkpoint: "2025-10-20"},
				importer.Scope{Season: 2024, Division: division, Gender: gender})
		}
	}
	return all
}
