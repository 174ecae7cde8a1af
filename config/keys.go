package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Key is one setting: its names, its help and how it is read and printed.
type Key struct {
	Name    string // in the environment and the env file, such as LISTEN_ADDR
	Group   string // heading in lists of settings
	Default string // in the spelling of the env file; empty means no default
	Usage   string // one line of help
	field
}

// field reads and prints the part of a Config that belongs to one key.
type field struct {
	Example string // example of the kind of value, such as host:port
	Secret  bool   // the value must never be printed
	set     func(*Config, string) error
	get     func(*Config) string
}

const (
	server   = "Server"
	database = "Database"
	caching  = "Cache"
	inFront  = "Caches in front"
	legacy   = "Legacy API"

	envFileName = "ENV_FILE"
)

var keys = []Key{
	{envFileName, server, "", "file of KEY=value lines to read settings from; the old API's .env will do",
		bind(func(c *Config) *string { return &c.EnvFile }, "path", anything[string])},
	{"LISTEN_ADDR", server, "127.0.0.1:8000", "address to listen on: host:port, where no host is every address and port 0 any free one, or unix:/path of a socket",
		bind(func(c *Config) *string { return &c.ListenAddr }, "address", parseAddr)},
	{"LISTEN_SOCKET_MODE", server, "0666", "mode of LISTEN_ADDR's socket; the X-Forwarded-* headers of every client that may connect are trusted",
		bind(func(c *Config) *SocketMode { return &c.ListenMode }, "mode", parseSocketMode)},
	{"BASE_PATH", server, "/iz/xcri", "path below which the API is served; / or empty for none",
		bind(func(c *Config) *string { return &c.BasePath }, "path", parseBasePath)},
	{"LOG_LEVEL", server, "INFO", "lowest level to log: debug, info, warn (warning) or error (critical)",
		bind(func(c *Config) *level { return &c.LogLevel }, "level", parseLevel)},
	{"SLOW_REQUEST", server, "500ms", "a request that is no hit and takes at least this long is logged; 0s for never",
		bind(func(c *Config) *duration { return &c.Slow.Request }, "duration", durationFrom(0))},
	{"SLOW_FILL", server, "250ms", "a load that takes at least this long, with its wait for a connection, is logged; 0s for never",
		bind(func(c *Config) *duration { return &c.Slow.Fill }, "duration", durationFrom(0))},
	{"ACCESS_LOG", server, "", "file of the access log, a line for each request, or stdout; empty for none",
		bind(func(c *Config) *string { return &c.Access.Log }, "path", parsePath)},
	{"ACCESS_LOG_FORMAT", server, "combined", "format of its lines: combined (Apache's, with outcome, seconds and request ID after it) or json",
		bind(func(c *Config) *string { return &c.Access.Format }, "format", parseAccessFormat)},
	{"ACCESS_LOG_SIZE", server, "100MiB", "size at which the access log is rotated, at least 1MiB",
		bind(func(c *Config) *int64 { return &c.Access.Size }, "size", sizeFrom(1<<20))},
	{"ACCESS_LOG_FILES", server, "5", "rotated access logs that are kept, compressed, 1 to 1000",
		bind(func(c *Config) *int { return &c.Access.Files }, "number", intBetween(1, 1000))},
	{"API_CORS_ORIGINS", server, "https://web4.ustfccca.org", "origins whose pages may read the API, comma separated; * for all, empty for none",
		bind(func(c *Config) *[]string { return &c.CORSOrigins }, "origins", parseOrigins)},
	{"ADMIN_TOKEN", server, "", "token of the admin endpoints, at least 16 characters; best kept out of flags, which other users can see",
		bind(func(c *Config) *Secret { return &c.AdminToken }, "token", parseToken)},
	{"ADMIN_ADDR", server, "", "address of a listener for the admin endpoints, in the form of LISTEN_ADDR, which then answers 404 for them; empty for none",
		bind(func(c *Config) *string { return &c.Admin.Addr }, "address", parseAdminAddr)},
	{"ADMIN_SOCKET_MODE", server, "0600", "mode of ADMIN_ADDR's socket",
		bind(func(c *Config) *SocketMode { return &c.Admin.SocketMode }, "mode", parseSocketMode)},
	{"ADMIN_LOCAL_TOKEN", server, "optional", "whether operators on this machine need the token, too: required on a host shared with strangers, or optional",
		bind(func(c *Config) *Demand { return &c.Admin.LocalToken }, "demand", parseDemand)},
	{"TRUSTED_PROXIES", server, "127.0.0.0/8,::1", "addresses whose X-Forwarded-* headers are trusted: IPs or networks, comma separated; empty for none",
		bind(func(c *Config) *prefixes { return &c.TrustedProxies }, "networks", parseNetworks)},
	{"CLIENT_LIMITS", server, defaultClientLimits.String(), "requests of one client address that may wait for loads at a time, and different answers, by cost, that they may wait for; 0 for no limit, off for none at all",
		bind(func(c *Config) *ClientLimits { return &c.ClientLimits }, "limits", parseClientLimits)},
	{"STATIC_DIR", server, "", "folder of the built site to serve under BASE_PATH; empty for none",
		bind(func(c *Config) *string { return &c.StaticDir }, "path", parsePath)},
	{"SITE_PRELOAD", server, "on", "whether the answer to a page of the site names the list that nearly all visits request, for the browser to load it earlier: on or off",
		bind(func(c *Config) *Switch { return &c.SitePreload }, "on/off", parseSwitch)},
	{"STATE_FILE", server, "", "file that keeps maintenance mode and changed sources between runs",
		bind(func(c *Config) *string { return &c.StateFile }, "path", parsePath)},
	{"HISTORY_FILE", server, "", "file that keeps the ops room's charts and events between runs",
		bind(func(c *Config) *string { return &c.HistoryFile }, "path", parsePath)},
	{"PID_FILE", server, "", "file that holds the process ID while serving",
		bind(func(c *Config) *string { return &c.PIDFile }, "path", parsePath)},
	{"MEMORY_LIMIT", server, "150MiB", "limit for the memory of the whole process, at least 64MiB",
		bind(func(c *Config) *int64 { return &c.MemoryLimit }, "size", sizeFrom(64<<20))},
	{"SHUTDOWN_TIMEOUT", server, "15s", "longest wait for open requests before the process ends",
		bind(func(c *Config) *duration { return &c.ShutdownTimeout }, "duration", durationFrom(time.Millisecond))},

	{"DATABASE_HOST", database, "localhost", "host name or IP address of the database; of several, comma separated, the first that answers is used",
		bind(func(c *Config) *string { return &c.Database.Host }, "host", parseHosts)},
	{"DATABASE_PORT", database, "3306", "TCP port of the database",
		bind(func(c *Config) *int { return &c.Database.Port }, "port", intBetween(1, 65535))},
	{"DATABASE_SOCKET", database, "", "Unix socket of the database; when set, host and port are not used",
		bind(func(c *Config) *string { return &c.Database.Socket }, "path", parseSocket)},
	{"DATABASE_TLS", database, "off", "encryption of the connections: off, preferred, required, or verify, which checks the server's certificate and name",
		bind(func(c *Config) *string { return &c.Database.TLS.Mode }, "mode", parseTLS)},
	{"DATABASE_TLS_CA", database, "", "PEM file of the authorities to trust with DATABASE_TLS=verify; empty for the system's",
		bind(func(c *Config) *string { return &c.Database.TLS.CA }, "path", parsePath)},
	{"DATABASE_TLS_CERT", database, "", "PEM file of the certificate to log in with, if the account demands one",
		bind(func(c *Config) *string { return &c.Database.TLS.Cert }, "path", parsePath)},
	{"DATABASE_TLS_KEY", database, "", "PEM file of the key of DATABASE_TLS_CERT",
		bind(func(c *Config) *string { return &c.Database.TLS.Key }, "path", parsePath)},
	{"DATABASE_NAME", database, "web4ustfccca_iz", "name of the database",
		bind(func(c *Config) *string { return &c.Database.Name }, "name", parseName)},
	{"DATABASE_USER", database, "web4ustfccca_public", "database account; it needs the SELECT privilege only",
		bind(func(c *Config) *string { return &c.Database.User }, "name", parseName)},
	{"DATABASE_PASSWORD", database, "", "password of the database account; best kept out of flags, which other users can see",
		bind(func(c *Config) *Secret { return &c.Database.Password }, "password", anything[Secret])},
	{"DATABASE_MAX_CONNS", database, "8", "limit of open connections, 1 to 100",
		bind(func(c *Config) *int { return &c.Database.MaxConns }, "number", intBetween(1, 100))},
	{"DATABASE_STATEMENT_TIMEOUT", database, "10s", "longest run of one statement before the server ends it, at least 100ms",
		bind(func(c *Config) *duration { return &c.Database.StatementTimeout }, "duration", durationFrom(100*time.Millisecond))},
	{"DATABASE_SEARCH_TIMEOUT", database, "5s", "the same for searches and for pages deep down a list, if it is shorter, at least 100ms; behind Apache a search goes on after its visitor has left",
		bind(func(c *Config) *duration { return &c.Database.SearchTimeout }, "duration", durationFrom(100*time.Millisecond))},
	{"EXTRA_COLUMNS", database, "", "columns that lists and single rows show besides the known columns: athletes.national_rank, comma separated; of athletes, teams or team-knockout",
		bind(func(c *Config) *[]string { return &c.Database.ExtraColumns }, "columns", parseColumns)},

	{"CACHE_BYTES", caching, "64MiB", "limit for the bytes of stored answers, at least 1MiB and at most 70% of MEMORY_LIMIT",
		bind(func(c *Config) *int64 { return &c.Cache.Bytes }, "size", sizeFrom(1<<20))},
	{"CACHE_FILE", caching, "", "file that keeps the warm set between runs",
		bind(func(c *Config) *string { return &c.Cache.File }, "path", parsePath)},
	{"WARM", caching, WarmLists, "answers to load ahead of requests: lists, or season for the answers about every athlete and team of the live rankings, too",
		bind(func(c *Config) *string { return &c.Cache.Warm }, "answers", parseWarm)},
	{"IDLE_COMPRESS", caching, "on", "whether large answers are compressed as far as possible while the processor is idle: on or off",
		bind(func(c *Config) *Switch { return &c.Cache.IdleCompress }, "on/off", parseSwitch)},
	{"GENERATION_POLL", caching, "250ms", "interval between polls of the database for a new generation, at least 100ms",
		bind(func(c *Config) *duration { return &c.Cache.Poll }, "duration", durationFrom(100*time.Millisecond))},
	{"SETTLE", caching, "5s", "time without changes after which a changed table's answers are loaded anew, at least 1s",
		bind(func(c *Config) *duration { return &c.Cache.Settle }, "duration", durationFrom(time.Second))},
	{"DATA_MAX_AGE", caching, "10m", "longest time for which answers count as fresh if neither the metadata table nor the server reports their changes, at least 1s",
		bind(func(c *Config) *duration { return &c.Cache.DataMaxAge }, "duration", durationFrom(time.Second))},
	{"IMPLAUSIBLE_AFTER", caching, "10m", "time for which data that resembles an unfinished import is held back, at least 1s",
		bind(func(c *Config) *duration { return &c.Cache.ImplausibleAfter }, "duration", durationFrom(time.Second))},
	{"CACHE_MAX_AGE", caching, "0s", "max-age in Cache-Control, in whole seconds; with 0s browsers revalidate their copy at each use",
		bind(func(c *Config) *duration { return &c.Cache.MaxAge }, "duration", parseSeconds)},
	{"CACHE_STALE_WHILE_REVALIDATE", caching, "0s", "stale-while-revalidate in Cache-Control, in whole seconds; browsers may show rows from before an import for this time",
		bind(func(c *Config) *duration { return &c.Cache.StaleWhileRevalidate }, "duration", parseSeconds)},
	{"FILL_TIMEOUT", caching, "20s", "longest load of one answer; must be longer than DATABASE_STATEMENT_TIMEOUT",
		bind(func(c *Config) *duration { return &c.Cache.FillTimeout }, "duration", durationFrom(time.Millisecond))},
	{"WAIT_TIMEOUT", caching, "15s", "longest wait of one request for a load",
		bind(func(c *Config) *duration { return &c.Cache.WaitTimeout }, "duration", durationFrom(time.Millisecond))},
	{"SHARED_CACHE", caching, "", "Redis or Valkey in which several proxies share answers: redis://user:password@host:6379/0, rediss:// or unix:///path; empty for none",
		bind(func(c *Config) *Secret { return &c.Cache.Shared }, "url", parseShared)},

	{"CACHE_TAGS", inFront, "off", "header that names each answer's route, tables and scope for caches in front: off, surrogate-key, xkey or cache-tag",
		bind(func(c *Config) *string { return &c.Front.Tags }, "header", parseTags)},
	{"CDN_MAX_AGE", inFront, "0s", "max-age in CDN-Cache-Control, for caches in front, in whole seconds; 0s for no such header",
		bind(func(c *Config) *duration { return &c.Front.MaxAge }, "duration", parseSeconds)},
	{"CDN_STALE_IF_ERROR", inFront, "0s", "stale-if-error in CDN-Cache-Control, in whole seconds: caches in front may serve their copies for this time while the proxy fails",
		bind(func(c *Config) *duration { return &c.Front.StaleIfError }, "duration", parseSeconds)},
	{"PURGE_URLS", inFront, "", "caches in front to purge by tag when answers change, comma separated; empty for none",
		bind(func(c *Config) *[]string { return &c.Front.PurgeURLs }, "urls", parsePurgeURLs)},
	{"PURGE_METHOD", inFront, "PURGE", "method of the requests to PURGE_URLS",
		bind(func(c *Config) *string { return &c.Front.Method }, "method", parseMethod)},
	{"PURGE_HEADERS", inFront, "xkey-purge: {tags}", "header fields of the requests to PURGE_URLS, separated by semicolons, with {tags}, {tags_comma}, {tags_json} and {token}",
		bind(func(c *Config) *fields { return &c.Front.Headers }, "fields", parseFields)},
	{"PURGE_BODY", inFront, "", "body of the requests to PURGE_URLS, with the same placeholders",
		bind(func(c *Config) *string { return &c.Front.Body }, "text", parseBody)},
	{"PURGE_TOKEN", inFront, "", "secret that stands for {token} in PURGE_HEADERS and PURGE_BODY; best kept out of flags, which other users can see",
		bind(func(c *Config) *Secret { return &c.Front.Token }, "token", parseSecretToken)},

	{"LEGACY_URL", legacy, "http://127.0.0.1:8001", "old API, for requests that the proxy does not answer itself; empty for none",
		bind(func(c *Config) *string { return &c.Legacy.URL }, "url", parseLegacyURL)},
	{"LEGACY_TIMEOUT", legacy, "15s", "longest wait for one answer of the old API",
		bind(func(c *Config) *duration { return &c.Legacy.Timeout }, "duration", durationFrom(100*time.Millisecond))},
	{"LEGACY_MAX_CONNS", legacy, "4", "limit of open connections to the old API, 1 to 100",
		bind(func(c *Config) *int { return &c.Legacy.MaxConns }, "number", intBetween(1, 100))},
	{"SOURCE", legacy, "store", "source of answers: store (the database), legacy (the old API) or auto (the old API when the store fails)",
		bind(func(c *Config) *string { return &c.Legacy.Source }, "source", parseSource)},
	{"SOURCE_ROUTES", legacy, "", "routes with a source of their own: /teams/=legacy,/athletes/{athlete_hnd}=auto",
		bind(func(c *Config) *sources { return &c.Legacy.Routes }, "route=source", parseSources)},
	{"AUTO_MAX_ERRORS", legacy, "5%", "share of failed loads at which auto leaves a source, 0.1% to 100%",
		bind(func(c *Config) *share { return &c.Legacy.MaxErrors }, "percent", shareFrom(0.001))},
	{"AUTO_MAX_SLOWDOWN", legacy, "3", "slowdown of the store's loads at which auto leaves the store, at least 1.5 times the usual time; 0 for never",
		bind(func(c *Config) *float64 { return &c.Legacy.MaxSlowdown }, "factor", parseSlowdown)},
	{"VERIFY_SAMPLE", legacy, "0%", "share of loads from the store that are compared with the old API's answer",
		bind(func(c *Config) *share { return &c.Legacy.VerifySample }, "percent", shareFrom(0))},
}

// bind connects a key to its field in a Config.
func bind[T any](at func(*Config) *T, example string, parse func(string) (T, error)) field {
	_, secret := any(*new(T)).(Secret)
	return field{
		Example: example,
		Secret:  secret,
		set: func(c *Config, text string) (err error) {
			*at(c), err = parse(text)
			return err
		},
		get: func(c *Config) string { return show(*at(c)) },
	}
}

// Flag returns the name of the key's flag without the dashes: listen-addr for
// LISTEN_ADDR.
func (k Key) Flag() string { return strings.ReplaceAll(strings.ToLower(k.Name), "_", "-") }

// Keys returns all keys, group by group. The caller may modify the slice.
func Keys() []Key { return slices.Clone(keys) }

func keyNamed(name string) (Key, bool) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return keys[i], true
}

// problem returns an error with the key, the refused value, its place, and the
// reason.
func (k Key) problem(v setting, why error) error {
	value := ""
	if !k.Secret {
		value = "=" + shown(v.text)
	}
	return fmt.Errorf("%s%s%s: %w", k.Name, value, inBrackets(v.place), why)
}

func inBrackets(place string) string {
	if place == "" {
		return ""
	}
	return " (" + place + ")"
}

var beforeAt = regexp.MustCompile(`(?s)^.*@`)

// shown quotes a refused value for a message and shortens it to one line. It hides the
// part before an @, which may be the password of a URL: no key accepts such a URL, so
// only this message could reveal the password.
func shown(text string) string {
	text = beforeAt.ReplaceAllString(text, "(hidden)@")
	if r := []rune(text); len(r) > 100 {
		text = string(r[:100]) + "..."
	}
	return fmt.Sprintf("%q", text)
}
