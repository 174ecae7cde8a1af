package app

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the prefix of the project's import paths.
const module = "github.com/lewistv/xcri-proxy/"

// allowed lists each package of the project, a colon, and the packages of the project
// that it may import.
const allowed = `
cache: cache/current cache/entry cache/figures cache/fill cache/outage cache/outcome cache/phase cache/reads cache/recode cache/shelf cache/slot cache/turns
cache/admission:
cache/atomicfile:
cache/current: cache/entry cache/slot
cache/entry: cache/memfile
cache/figures: cache/current cache/entry cache/outcome cache/shelf cache/turns
cache/fill: cache/outage cache/phase cache/turns
cache/memfile:
cache/outage:
cache/outcome:
cache/phase:
cache/reads: cache/entry
cache/recode: cache/entry cache/slot
cache/shelf: cache/admission
cache/slot: cache/entry cache/reads cache/shelf
cache/snapshot: cache cache/atomicfile
cache/turns:
cmd/internal/accesslog: cmd/internal/flock cmd/internal/queue proxy/admin/api
cmd/internal/adminclient: config proxy/admin/api
cmd/internal/apart:
cmd/internal/app: cache cache/atomicfile cache/memfile cache/snapshot cmd/internal/accesslog cmd/internal/apart cmd/internal/cgroup cmd/internal/handover cmd/internal/idle cmd/internal/pidfile config proxy proxy/admin proxy/admin/gate proxy/budget proxy/content proxy/fleet proxy/fleet/redis proxy/front proxy/generation proxy/generation/note proxy/legacy proxy/maintenance proxy/origin proxy/plural proxy/preload proxy/reply proxy/share proxy/site proxy/trace store
cmd/internal/cgroup:
cmd/internal/console:
cmd/internal/exit: cmd/internal/adminclient
cmd/internal/flock:
cmd/internal/handover: cmd/internal/flock
cmd/internal/idle:
cmd/internal/load: cmd/internal/adminclient cmd/internal/console cmd/internal/exit cmd/internal/load/client cmd/internal/load/measure cmd/internal/load/visitors proxy/plural
cmd/internal/load/client: cmd/internal/load/visitors
cmd/internal/load/measure: cmd/internal/load/client cmd/internal/load/visitors proxy/admin/api
cmd/internal/load/visitors: cmd/internal/accesslog
cmd/internal/logging: cmd/internal/queue
cmd/internal/pidfile: cache/atomicfile
cmd/internal/preflight: cache/atomicfile cmd/internal/adminclient cmd/internal/app cmd/internal/cgroup cmd/internal/console cmd/internal/exit cmd/internal/load/measure cmd/internal/load/visitors cmd/internal/verify config proxy proxy/admin/api proxy/content proxy/fleet/redis/survey proxy/plural proxy/site store
cmd/internal/process: cmd/internal/app cmd/internal/console cmd/internal/exit cmd/internal/logging config
cmd/internal/queue:
cmd/internal/report: cmd/internal/adminclient cmd/internal/console cmd/internal/exit proxy/admin/api proxy/plural
cmd/internal/show: cmd/internal/console proxy/admin/api proxy/plural
cmd/internal/tail: cache cmd/internal/adminclient cmd/internal/console cmd/internal/exit proxy/admin/api proxy/plural proxy/route proxy/tail store
cmd/internal/top: cmd/internal/adminclient cmd/internal/console proxy/admin/api proxy/plural
cmd/internal/verify: cmd/internal/accesslog cmd/internal/adminclient cmd/internal/console cmd/internal/exit proxy/admin/api proxy/plural
cmd/internal/warm: cmd/internal/accesslog cmd/internal/adminclient cmd/internal/console cmd/internal/exit proxy/admin/api proxy/plural
cmd/xcri-bench: cmd/xcri-bench/internal/lab cmd/xcri-bench/internal/machine cmd/xcri-bench/internal/neighbours cmd/xcri-bench/internal/report cmd/xcri-bench/internal/rows/ahead cmd/xcri-bench/internal/rows/alone cmd/xcri-bench/internal/rows/answers cmd/xcri-bench/internal/rows/beside cmd/xcri-bench/internal/rows/fleet
cmd/xcri-bench/bare:
cmd/xcri-bench/fleetsim: cmd/xcri-bench/internal/report cmd/xcri-bench/internal/simulate
cmd/xcri-bench/internal/ask:
cmd/xcri-bench/internal/herd: cmd/xcri-bench/internal/ask
cmd/xcri-bench/internal/lab: cmd/xcri-bench/internal/ask cmd/xcri-bench/internal/machine cmd/xcri-bench/internal/neighbours cmd/xcri-bench/internal/report cmd/xcri-bench/internal/rounds store/storetest store/storetest/importer store/storetest/mariadb
cmd/xcri-bench/internal/level: cmd/xcri-bench/internal/machine
cmd/xcri-bench/internal/machine:
cmd/xcri-bench/internal/neighbours: cmd/xcri-bench/internal/ask cmd/xcri-bench/internal/machine
cmd/xcri-bench/internal/report: cmd/xcri-bench/internal/stats
cmd/xcri-bench/internal/rounds: cmd/xcri-bench/internal/machine cmd/xcri-bench/internal/report cmd/xcri-bench/internal/stats cmd/xcri-bench/internal/wrk
cmd/xcri-bench/internal/rows/ahead: cmd/xcri-bench/internal/ask cmd/xcri-bench/internal/lab cmd/xcri-bench/internal/machine cmd/xcri-bench/internal/report cmd/xcri-bench/internal/stats store/storetest/importer
cmd/xcri-bench/internal/rows/alone: cmd/xcri-bench/internal/ask cmd/xcri-bench/internal/herd cmd/xcri-bench/internal/lab cmd/xcri-bench/internal/machine cmd/xcri-bench/internal/report cmd/xcri-bench/internal/rounds cmd/xcri-bench/internal/stats cmd/xcri-bench/internal/wrk store/storetest/importer
cmd/xcri-bench/internal/rows/answers: cmd/xcri-bench/internal/ask cmd/xcri-bench/internal/lab cmd/xcri-bench/internal/machine cmd/xcri-bench/internal/report cmd/xcri-bench/internal/stats store/storetest/importer
cmd/xcri-bench/internal/rows/beside: cmd/xcri-bench/internal/ask cmd/xcri-bench/internal/lab cmd/xcri-bench/internal/machine cmd/xcri-bench/internal/neighbours cmd/xcri-bench/internal/report cmd/xcri-bench/internal/rounds cmd/xcri-bench/internal/stats cmd/xcri-bench/internal/wrk
cmd/xcri-bench/internal/rows/fleet: cmd/xcri-bench/internal/ask cmd/xcri-bench/internal/herd cmd/xcri-bench/internal/lab cmd/xcri-bench/internal/level cmd/xcri-bench/internal/machine cmd/xcri-bench/internal/report cmd/xcri-bench/internal/rounds cmd/xcri-bench/internal/simulate cmd/xcri-bench/internal/stats cmd/xcri-bench/internal/wrk store/storetest/importer
cmd/xcri-bench/internal/simulate:
cmd/xcri-bench/internal/stats:
cmd/xcri-bench/internal/wrk: cmd/xcri-bench/internal/machine
cmd/xcri-proxy: cache cmd/internal/adminclient cmd/internal/apart cmd/internal/app cmd/internal/console cmd/internal/exit cmd/internal/load cmd/internal/preflight cmd/internal/process cmd/internal/report cmd/internal/show cmd/internal/tail cmd/internal/top cmd/internal/verify cmd/internal/warm config proxy/admin/api proxy/content proxy/route store
cmd/xcri-soak: cmd/internal/load/measure cmd/xcri-soak/internal/judge cmd/xcri-soak/internal/people proxy/pages proxy/proxytest/oldapi proxy/route store store/readapi store/storetest store/storetest/importer store/storetest/mariadb store/storetest/port store/storetest/relay
cmd/xcri-soak/internal/judge:
cmd/xcri-soak/internal/people: cmd/internal/load/client cmd/internal/load/measure cmd/xcri-soak/internal/judge
config: config/address
config/address:
config/deploy:
proxy: cache cache/memfile cache/phase cache/snapshot proxy/accept proxy/admin proxy/admin/api proxy/admin/lasting proxy/admin/selector proxy/budget proxy/content proxy/copies proxy/cors proxy/events proxy/fault proxy/files proxy/fleet proxy/fleet/wanted proxy/front proxy/generation proxy/health proxy/legacy proxy/maintenance proxy/metrics proxy/notice proxy/origin proxy/pass proxy/plural proxy/preload proxy/reply proxy/route proxy/season proxy/send proxy/share proxy/site proxy/slowest proxy/tail proxy/trace proxy/verify proxy/visitor proxy/wire store
proxy/accept:
proxy/admin: cache cache/memfile proxy/admin/api proxy/admin/body proxy/admin/condition proxy/admin/gate proxy/admin/history proxy/admin/lasting proxy/admin/process proxy/admin/prometheus proxy/admin/selector proxy/budget proxy/events proxy/fleet proxy/front proxy/generation proxy/legacy proxy/maintenance proxy/metrics proxy/origin proxy/preload proxy/reply proxy/route proxy/season proxy/share proxy/site proxy/slowest proxy/tail proxy/trace proxy/verify proxy/visitor proxy/wire store
proxy/admin/api:
proxy/admin/body: proxy/reply
proxy/admin/condition: cache proxy/admin/api proxy/fleet proxy/maintenance proxy/metrics proxy/origin proxy/plural store
proxy/admin/gate: proxy/visitor
proxy/admin/history: cache cache/atomicfile proxy/admin/api proxy/metrics
proxy/admin/process:
proxy/admin/lasting: proxy/admin/api proxy/fleet/actions proxy/maintenance proxy/origin proxy/route
proxy/admin/prometheus: cache proxy/admin/api proxy/admin/process proxy/metrics proxy/route
proxy/admin/selector: cache proxy/admin/api proxy/fleet/actions proxy/fleet/series proxy/plural proxy/route store
proxy/budget:
proxy/compare: proxy/plural
proxy/content: cache cache/memfile proxy/content/repeats
proxy/content/repeats:
proxy/copies: cache proxy/events proxy/front proxy/generation proxy/reply proxy/route
proxy/cors:
proxy/events:
proxy/fault: cache proxy/legacy proxy/maintenance proxy/rarely proxy/reply proxy/share store
proxy/files: proxy/content proxy/metrics proxy/reply proxy/route proxy/send proxy/site
proxy/fleet: cache cache/current cache/snapshot proxy/admin/api proxy/fleet/actions proxy/fleet/agree proxy/fleet/counts proxy/fleet/ends proxy/fleet/engine proxy/fleet/members proxy/fleet/patience proxy/fleet/series proxy/fleet/sums proxy/fleet/texts proxy/fleet/waits proxy/fleet/wanted proxy/metrics store
proxy/fleet/actions: proxy/fleet/engine proxy/fleet/series
proxy/fleet/agree:
proxy/fleet/counts:
proxy/fleet/ends:
proxy/fleet/engine: proxy/fleet/agree proxy/fleet/members proxy/fleet/wanted
proxy/fleet/fleettest: proxy/fleet proxy/fleet/agree proxy/fleet/engine proxy/fleet/members proxy/fleet/wanted
proxy/fleet/members:
proxy/fleet/patience:
proxy/fleet/redis: proxy/fleet proxy/fleet/agree proxy/fleet/engine proxy/fleet/members proxy/fleet/wanted proxy/rarely proxy/wire/socket
proxy/fleet/redis/survey: proxy/fleet proxy/fleet/redis
proxy/fleet/series:
proxy/fleet/sums: store
proxy/fleet/texts: proxy/fleet/engine proxy/fleet/waits
proxy/fleet/waits:
proxy/fleet/wanted: cache
proxy/front: proxy/admin/api store
proxy/generation: cache proxy/fleet/agree proxy/generation/note proxy/generation/status proxy/pages proxy/route store store/limit
proxy/generation/note: store
proxy/generation/status:
proxy/health: proxy/reply
proxy/legacy: proxy/budget proxy/visitor
proxy/maintenance:
proxy/metrics: cache proxy/route
proxy/notice: proxy/maintenance proxy/reply
proxy/origin: cache cache/phase proxy/content proxy/legacy proxy/route store
proxy/pages: proxy/route store
proxy/pass: cache cache/phase proxy/content proxy/fault proxy/legacy proxy/metrics proxy/reply proxy/route proxy/trace
proxy/plural:
proxy/preload:
proxy/proxytest: proxy/legacy
proxy/proxytest/apache: proxy/proxytest/daemon store/storetest/need store/storetest/port
proxy/proxytest/children:
proxy/proxytest/conformance: store/storetest store/storetest/mariadb
proxy/proxytest/daemon:
proxy/proxytest/nginx: proxy/proxytest/daemon store/storetest/need store/storetest/port
proxy/proxytest/oldapi: store/storetest store/storetest/port
proxy/proxytest/promtext:
proxy/proxytest/redisserver: proxy/proxytest/daemon store/storetest/need store/storetest/port
proxy/proxytest/varnish: proxy/proxytest/daemon store/storetest/need
proxy/rarely:
proxy/reply: cache store/jsontext
proxy/route: store store/jsontext
proxy/season: cache proxy/admin/api proxy/route store
proxy/send: cache proxy/budget proxy/content proxy/metrics proxy/reply proxy/wire
proxy/share: cache
proxy/site: cache
proxy/slowest: proxy/admin/api
proxy/tail: proxy/admin/api
proxy/trace: cache cache/phase proxy/admin/api proxy/visitor
proxy/verify: proxy/compare proxy/legacy proxy/route store
proxy/visitor:
proxy/wire: cache/entry proxy/budget proxy/rarely proxy/wire/socket proxy/wire/strict
proxy/wire/socket: cache/memfile
proxy/wire/strict:
proxy/wire/stricttest:
store: store/dberror store/jsontext store/param store/pool store/readapi store/scope store/secure store/steps store/subjects store/survey
store/dberror:
store/gate:
store/jsontext:
store/limit:
store/param:
store/pool: store/dberror store/gate store/limit store/pool/concurrent store/pool/session store/pool/socket store/secure store/steps
store/pool/concurrent:
store/pool/session: store/dberror
store/pool/socket:
store/query: store/dberror store/jsontext store/param store/scope
store/readapi: store/jsontext store/param store/query store/scope
store/scope: store/jsontext store/param
store/secure: store/dberror
store/storetest:
store/storetest/importer:
store/storetest/mariadb: store/storetest store/storetest/port
store/storetest/need:
store/storetest/port:
store/storetest/relay:
store/storetest/scratch: store/param store/readapi store/storetest store/storetest/mariadb
store/storetest/stores: store store/storetest/mariadb store/storetest/relay store/storetest/scratch
store/steps:
store/subjects: store/jsontext store/param store/readapi store/scope
store/survey: store/jsontext
`

// homes lists each large dependency, a colon, and the packages that may import
// it; the packages below them may too.
const homes = `
database/sql: store cmd/xcri-bench cmd/xcri-soak
github.com/andybalholm/brotli: proxy cmd/internal/load/client
github.com/coreos/go-systemd: cmd/internal/app cmd/internal/handover
github.com/dgraph-io/ristretto: cache/admission
github.com/dustin/go-humanize: config
github.com/gdamore/tcell: cmd/internal/top
github.com/go-sql-driver/mysql: store
github.com/klauspost/compress: proxy cmd/internal/load/client
github.com/spf13/cobra: cmd/xcri-proxy
github.com/valyala/fasthttp: proxy cmd/xcri-bench/bare
github.com/valkey-io/valkey-go: proxy/fleet/redis
golang.org/x/sync: cache
`

// TestImports holds the direction of imports between the packages, and restricts each
// large dependency to its package.
func TestImports(t *testing.T) {
	may, rooms := table(allowed), table(homes)
	packages := goList(t, `{{join .Imports " "}}`, module+"...")
	for room, imports := range packages {
		if may[room] == nil {
			t.Errorf("%s is a new room: list here the packages that it may import", room)
		}
		for _, i := range imports {
			if ours, ok := strings.CutPrefix(i, module); ok && !slices.Contains(may[room], ours) {
				t.Errorf("%s imports %s, which its line of allowed does not list", room, ours)
			}
			for dependency, homes := range rooms {
				in := func(home string) bool { return room == home || strings.HasPrefix(room, home+"/") }
				if strings.HasPrefix(i, dependency) && !slices.ContainsFunc(homes, in) {
					t.Errorf("%s imports %s, which belongs in %s", room, i, homes)
				}
			}
		}
	}
	for room := range may {
		if packages[room] == nil {
			t.Errorf("there is no package %s", room)
		}
	}
}

// table parses lines of a name, a colon and words.
func table(text string) map[string][]string {
	rows := map[string][]string{}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		name, words, _ := strings.Cut(line, ":")
		rows[name] = append([]string{}, strings.Fields(words)...)
	}
	return rows
}

// TestProductImportsNoTestRoom holds that the shipped program imports no package for
// tests, and not the testing package.
func TestProductImportsNoTestRoom(t *testing.T) {
	seen := 0
	for room, deps := range goList(t, `{{join .Deps " "}}`, module+"cmd/xcri-proxy") {
		for _, d := range deps {
			ours, _ := strings.CutPrefix(d, module)
			if d == "testing" || slices.ContainsFunc(strings.Split(ours, "/"), func(s string) bool { return strings.HasSuffix(s, "test") }) && ours != d {
				t.Errorf("%s depends on %s", room, d)
			}
			seen++
		}
	}
	if seen < 50 {
		t.Errorf("%d dependencies: the list is not complete", seen)
	}
}

// TestNoGoBelowTestdata holds that ./... sees every package: the go command
// skips folders named testdata.
func TestNoGoBelowTestdata(t *testing.T) {
	err := filepath.WalkDir("../../..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && strings.Contains(path, "/testdata/") {
			t.Errorf("%s: a test room belongs outside testdata", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goList returns the words of format for each package of the project that matches
// pattern.
func goList(t *testing.T, format, pattern string) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} "+format, pattern).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	packages := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		packages[strings.TrimPrefix(fields[0], module)] = fields[1:]
	}
	return packages
}
