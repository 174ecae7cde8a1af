// Package config holds every setting of the proxy: it reads the flags, the
// environment and an optional env file once, checks the values and hands them
// on as a plain struct. The table in keys.go is the only list of the settings;
// flags, help, parsing and printing all follow it.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"
)

// Config is the complete, checked configuration. It is read-only after Load and so
// safe for concurrent use; callers must not modify its slices.
type Config struct {
	EnvFile string // file from which settings were read; empty = none
	Server
	Process
	AdminToken Secret // bearer token of the admin endpoints; empty = none set
	Admin      Admin
	Slow       Slow
	Access     Access
	Database   Database
	Cache      Cache
	Front      Front
	Legacy     Legacy

	places map[string]string // the place that each value comes from, by key name
}

// Server configures the listener, the site, and the treatment of clients.
type Server struct {
	ListenAddr      string         // host:port, where an empty host means every address and port 0 any free port; or unix: and a path
	ListenMode      SocketMode     // of a Unix socket at ListenAddr
	BasePath        string         // path prefix without a final slash; empty = none
	StaticDir       string         // folder of the built site; empty = none
	SitePreload     Switch         // of the lists that pages of the site request
	CORSOrigins     []string       // allowed origins; a single "*" = all, empty = none
	TrustedProxies  []netip.Prefix // proxies whose X-Forwarded-* headers are accepted
	ClientLimits    ClientLimits
	ShutdownTimeout time.Duration // longest wait for open requests at shutdown
}

// Process holds the log, the memory and the files of the process.
type Process struct {
	LogLevel    slog.Level // least level that is logged
	MemoryLimit int64      // soft limit of the whole process in bytes
	StateFile   string     // where changes made while running are kept; empty = nowhere
	HistoryFile string     // where the ops room's history is kept; empty = nowhere
	PIDFile     string     // where the process ID is kept while serving; empty = nowhere
}

// Slow holds the durations from which on work is logged as slow; zero means never.
type Slow struct {
	Request time.Duration // of a request that was no hit
	Fill    time.Duration // of a load, with its wait for a turn
}

// Database configures the connections to the database.
type Database struct {
	Host             string // or several, comma separated, in the order in which to try them
	Port             int
	Socket           string // path of a Unix socket; when set, Host and Port are not used
	TLS              TLS
	Name             string
	User             string
	Password         Secret
	MaxConns         int           // limit of open connections
	ExtraColumns     []string      // RESOURCE.COLUMN, shown besides the known columns
	StatementTimeout time.Duration // longest run of one statement on the server
	SearchTimeout    time.Duration // the same for a search, if that is shorter
}

// TLS configures the encryption of connections.
type TLS struct {
	Mode string // off, preferred, required or verify
	CA   string // PEM file of the authorities to trust; empty = the system's
	Cert string // PEM file of our certificate; empty = none
	Key  string // PEM file of its key; empty = none
}

// Ahead is the work that is done ahead of requests.
type Ahead struct {
	Warm         string // WarmLists or WarmSeason
	IdleCompress Switch // of the smallest form of large answers, made on an idle processor
}

// Freshness decides when an answer is stale.
type Freshness struct {
	Poll             time.Duration // interval of polls for the database's generation
	Settle           time.Duration // how long a changed table must be quiet until the change counts
	DataMaxAge       time.Duration // longest freshness of answers whose changes are not reported
	ImplausibleAfter time.Duration // time for which a state that resembles an unfinished import is held back
}

// Cache holds the sizes and times of the cache.
type Cache struct {
	Bytes int64  // most bytes of stored answers
	File  string // where the warm set is kept between runs; empty = nowhere
	Ahead
	Freshness
	MaxAge               time.Duration // max-age sent to clients, whole seconds
	StaleWhileRevalidate time.Duration // stale-while-revalidate sent to clients, whole seconds
	FillTimeout          time.Duration // longest load from the origin
	WaitTimeout          time.Duration // longest wait of one request for a fill
	Shared               Secret        // URL of the level that several proxies share; empty = none
}

// Legacy configures the connection to the old API and the routes that use it.
type Legacy struct {
	URL          string            // without a final slash; empty = none
	Timeout      time.Duration     // longest wait for one answer
	MaxConns     int               // limit of open connections
	Source       string            // of all routes not in Routes: store, legacy or auto
	Routes       map[string]string // endpoint paths to their sources
	MaxErrors    Share             // of failed loads, from which on auto leaves a source
	MaxSlowdown  float64           // of loads, from which on auto leaves the store; 0 = never
	VerifySample Share             // of loads from the store that are compared with the old API
}

// Share is a part of a whole, from 0 to 1.
type Share float64

// Secret is a text that is hidden in prints, JSON and logs. string(s) returns the
// text.
type Secret string

// String returns "(hidden)", or "(not set)" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return "(not set)"
	}
	return "(hidden)"
}

// GoString keeps the secret out of %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText keeps the secret out of JSON and structured logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// setting is one value as text, and the place that it comes from.
type setting struct{ text, place string }

// Load reads the configuration. A flag wins over the environment, which wins over the env
// file named by ENV_FILE, which wins over the default. flags holds only the flags on the
// command line, by key name. envNames holds the names of all environment variables; names
// that resemble a key are refused, and nil skips that check. The error has one line for
// each problem found.
func Load(flags map[string]string, lookupEnv func(string) (string, bool), envNames ...string) (Config, error) {
	problems := misspelt(envNames)
	for name := range flags {
		if _, ok := keyNamed(name); !ok {
			problems = append(problems, fmt.Errorf("unknown key %s among the flags", name))
		}
	}
	var file map[string]setting
	envFile, _ := keyNamed(envFileName)
	if path := find(envFile, flags, lookupEnv, nil); path.text != "" {
		var errs []error
		file, errs = readEnvFile(path, lookupEnv)
		problems = append(problems, errs...)
	}

	cfg := Config{places: map[string]string{}}
	bad := map[string]bool{}
	for _, k := range keys {
		v := find(k, flags, lookupEnv, file)
		cfg.places[k.Name] = v.place
		if err := k.set(&cfg, v.text); err != nil {
			bad[k.Name] = true
			problems = append(problems, k.problem(v, err))
		}
	}
	problems = append(problems, cfg.brokenRelations(bad)...)
	if len(problems) > 0 {
		return Config{}, errors.Join(problems...)
	}
	return cfg, nil
}

// find returns the value of k from the first place that has one.
func find(k Key, flags map[string]string, lookupEnv func(string) (string, bool), file map[string]setting) setting {
	if text, ok := flags[k.Name]; ok {
		return setting{text, "flag --" + k.Flag()}
	}
	if text, ok := lookupEnv(k.Name); ok {
		return setting{text, "environment"}
	}
	if v, ok := file[k.Name]; ok {
		return v
	}
	return setting{k.Default, "default"}
}

// Validate checks the relations between keys; Load has checked each value.
func (c Config) Validate() error {
	return errors.Join(c.brokenRelations(nil)...)
}

// brokenRelations checks the relations between keys. It skips relations with a key in
// bad, whose value is unknown: a second error about this key would mislead.
func (c Config) brokenRelations(bad map[string]bool) (problems []error) {
	most := c.MemoryLimit / 10 * 7
	base, old, token := c.BasePath != "", c.Legacy.URL != "", c.AdminToken != ""
	for _, r := range []struct {
		holds             bool
		name, rule, other string
	}{
		{c.Cache.Bytes <= most, "CACHE_BYTES", "must be at most " + show(most) + ", 70% of MEMORY_LIMIT", "MEMORY_LIMIT"},
		{c.Cache.FillTimeout > c.Database.StatementTimeout, "FILL_TIMEOUT", "must be longer than DATABASE_STATEMENT_TIMEOUT", "DATABASE_STATEMENT_TIMEOUT"},
		{c.Database.TLS.Mode == "verify" || c.Database.TLS.CA == "", "DATABASE_TLS_CA", "needs verify as DATABASE_TLS", "DATABASE_TLS"},
		{c.Database.TLS.Mode != "off" || c.Database.TLS.Cert == "", "DATABASE_TLS_CERT", "needs DATABASE_TLS", "DATABASE_TLS"},
		{c.Database.TLS.Cert != "" || c.Database.TLS.Key == "", "DATABASE_TLS_KEY", "needs a DATABASE_TLS_CERT", "DATABASE_TLS_CERT"},
		{c.Database.TLS.Key != "" || c.Database.TLS.Cert == "", "DATABASE_TLS_CERT", "needs a DATABASE_TLS_KEY", "DATABASE_TLS_KEY"},
		{!sameAddr(c.Admin.Addr, c.ListenAddr), "ADMIN_ADDR", "must differ from LISTEN_ADDR", "LISTEN_ADDR"},
		{token || staysHere(c.Admin.Addr), "ADMIN_ADDR", "can be reached from other machines, so it needs an ADMIN_TOKEN", "ADMIN_TOKEN"},
		{token || !bool(c.Admin.LocalToken), "ADMIN_LOCAL_TOKEN", "needs an ADMIN_TOKEN", "ADMIN_TOKEN"},
		{c.Front.Tags != "off" || len(c.Front.PurgeURLs) == 0, "PURGE_URLS", "needs CACHE_TAGS", "CACHE_TAGS"},
		{len(c.Front.PurgeURLs) == 0 || c.Front.names("{tags"), "PURGE_HEADERS", "must name the tags there or in PURGE_BODY: {tags}, {tags_comma} or {tags_json}", "PURGE_BODY"},
		{len(c.Front.PurgeURLs) == 0 || !c.Front.names("{token}") || c.Front.Token != "", "PURGE_HEADERS", "contains {token} there or in PURGE_BODY, and needs a PURGE_TOKEN", "PURGE_TOKEN"},
		{c.Front.MaxAge > 0 || c.Front.StaleIfError == 0, "CDN_STALE_IF_ERROR", "needs a CDN_MAX_AGE", "CDN_MAX_AGE"},
		{base || c.StaticDir == "", "STATIC_DIR", "needs a BASE_PATH for the site to be under", "BASE_PATH"},
		{old || c.Legacy.Source == "store", "SOURCE", "needs a LEGACY_URL", "LEGACY_URL"},
		{old || !c.Legacy.hasOtherRoutes(), "SOURCE_ROUTES", "needs a LEGACY_URL", "LEGACY_URL"},
		{old || c.Legacy.VerifySample == 0, "VERIFY_SAMPLE", "needs a LEGACY_URL", "LEGACY_URL"},
	} {
		if r.holds || bad[r.name] || bad[r.other] {
			continue
		}
		key, _ := keyNamed(r.name)
		other, _ := keyNamed(r.other)
		problems = append(problems, key.problem(setting{key.get(&c), c.places[r.name]},
			fmt.Errorf("%s, which is %s%s", r.rule, cmp.Or(other.get(&c), "empty"), inBrackets(c.places[r.other]))))
	}
	return problems
}

// hasOtherRoutes reports whether any route has a source of its own other than the
// store.
func (l Legacy) hasOtherRoutes() bool {
	for _, source := range l.Routes {
		if source != "store" {
			return true
		}
	}
	return false
}

// String lists every key as KEY=value with the place that the value comes from, by
// group. Of a secret it shows only whether it is set.
func (c Config) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	group := ""
	for _, k := range keys {
		if k.Group != group {
			group = k.Group
			fmt.Fprintf(w, "\n# %s\n", group)
		}
		value := k.get(&c)
		if !k.Secret {
			value = quoteForFile(value)
		}
		fmt.Fprintf(w, "%s=%s", k.Name, value)
		if place := c.places[k.Name]; place != "" {
			fmt.Fprintf(w, "\t# %s", place)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // a strings.Builder does not fail
	return strings.TrimPrefix(b.String(), "\n")
}
