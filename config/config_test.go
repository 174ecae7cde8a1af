package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}
}

func writeEnvFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, flags map[string]string) Config {
	t.Helper()
	cfg, err := Load(flags, environment(nil))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestDefaults(t *testing.T) {
	got := load(t, nil)
	got.places = nil
	want := Config{
		Server: Server{
			ListenAddr: "127.0.0.1:8000", ListenMode: 0o666, BasePath: "/iz/xcri", SitePreload: true, CORSOrigins: []string{"https://web4.ustfccca.org"},
			TrustedProxies:  []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
			ShutdownTimeout: 15 * time.Second, ClientLimits: ClientLimits{Requests: 2000, Quick: 512, Heavy: 64, Costly: 16},
		},
		Process: Process{LogLevel: slog.LevelInfo, MemoryLimit: 150 << 20},
		Admin:   Admin{SocketMode: 0o600},
		Slow:    Slow{Request: 500 * time.Millisecond, Fill: 250 * time.Millisecond},
		Access:  Access{Format: "combined", Size: 100 << 20, Files: 5},
		Database: Database{
			Host: "localhost", Port: 3306, Name: "web4ustfccca_iz", User: "web4ustfccca_public", TLS: TLS{Mode: "off"},
			MaxConns: 8, StatementTimeout: 10 * time.Second, SearchTimeout: 5 * time.Second,
		},
		Cache: Cache{
			Bytes: 64 << 20, Ahead: Ahead{Warm: WarmLists, IdleCompress: true},
			Freshness:   Freshness{Poll: 250 * time.Millisecond, Settle: 5 * time.Second, DataMaxAge: 10 * time.Minute, ImplausibleAfter: 10 * time.Minute},
			FillTimeout: 20 * time.Second, WaitTimeout: 15 * time.Second,
		},
		Front: Front{Tags: "off", Method: "PURGE", Headers: fields{"xkey-purge: {tags}"}},
		Legacy: Legacy{
			URL: "http://127.0.0.1:8001", Timeout: 15 * time.Second, MaxConns: 4,
			Source: "store", Routes: map[string]string{}, MaxErrors: 0.05, MaxSlowdown: 3,
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

// TestKeysReachTheirFields: each key sets its own field and no other.
func TestKeysReachTheirFields(t *testing.T) {
	tests := []struct {
		key, text string
		want      any
		got       func(Config) any
	}{
		{"LISTEN_ADDR", "[::1]:0", "[::1]:0", func(c Config) any { return c.ListenAddr }},
		{"LISTEN_SOCKET_MODE", "0660", SocketMode(0o660), func(c Config) any { return c.ListenMode }},
		{"ADMIN_ADDR", "unix:/run/admin.sock", "unix:/run/admin.sock", func(c Config) any { return c.Admin.Addr }},
		{"ADMIN_SOCKET_MODE", "640", SocketMode(0o640), func(c Config) any { return c.Admin.SocketMode }},
		{"ADMIN_LOCAL_TOKEN", "Required", Demand(true), func(c Config) any { return c.Admin.LocalToken }},
		{"BASE_PATH", "/a/b-c.d", "/a/b-c.d", func(c Config) any { return c.BasePath }},
		{"LOG_LEVEL", "debug", slog.LevelDebug, func(c Config) any { return c.LogLevel }},
		{"SLOW_REQUEST", "1500ms", 1500 * time.Millisecond, func(c Config) any { return c.Slow.Request }},
		{"SLOW_FILL", "0s", time.Duration(0), func(c Config) any { return c.Slow.Fill }},
		{"ACCESS_LOG", "/var/log/xcri-proxy/access.log", "/var/log/xcri-proxy/access.log", func(c Config) any { return c.Access.Log }},
		{"ACCESS_LOG_FORMAT", "JSON", "json", func(c Config) any { return c.Access.Format }},
		{"ACCESS_LOG_SIZE", "1GiB", int64(1 << 30), func(c Config) any { return c.Access.Size }},
		{"ACCESS_LOG_FILES", "30", 30, func(c Config) any { return c.Access.Files }},
		{"API_CORS_ORIGINS", "*", []string{"*"}, func(c Config) any { return c.CORSOrigins }},
		{"ADMIN_TOKEN", "0123456789abcdef", Secret("0123456789abcdef"), func(c Config) any { return c.AdminToken }},
		{"MEMORY_LIMIT", "1GB", int64(1e9), func(c Config) any { return c.MemoryLimit }},
		{"SHUTDOWN_TIMEOUT", "1", time.Second, func(c Config) any { return c.ShutdownTimeout }},
		{"DATABASE_HOST", "::1", "::1", func(c Config) any { return c.Database.Host }},
		{"DATABASE_PORT", "3307", 3307, func(c Config) any { return c.Database.Port }},
		{"DATABASE_SOCKET", "/run/my sql.sock", "/run/my sql.sock", func(c Config) any { return c.Database.Socket }},
		{"DATABASE_TLS", "Verify", "verify", func(c Config) any { return c.Database.TLS.Mode }},
		{"DATABASE_TLS_CA", "/etc/ssl/ca.pem", "/etc/ssl/ca.pem", func(c Config) any { return c.Database.TLS.CA }},
		{"DATABASE_TLS_CERT", "/etc/ssl/client.pem", "/etc/ssl/client.pem", func(c Config) any { return c.Database.TLS.Cert }},
		{"DATABASE_TLS_KEY", "/etc/ssl/client.key", "/etc/ssl/client.key", func(c Config) any { return c.Database.TLS.Key }},
		{"DATABASE_NAME", "other", "other", func(c Config) any { return c.Database.Name }},
		{"DATABASE_USER", "someone", "someone", func(c Config) any { return c.Database.User }},
		{"DATABASE_PASSWORD", " p#$ ", Secret(" p#$ "), func(c Config) any { return c.Database.Password }},
		{"DATABASE_MAX_CONNS", "100", 100, func(c Config) any { return c.Database.MaxConns }},
		{"DATABASE_STATEMENT_TIMEOUT", "100ms", 100 * time.Millisecond, func(c Config) any { return c.Database.StatementTimeout }},
		{"DATABASE_SEARCH_TIMEOUT", "1s", time.Second, func(c Config) any { return c.Database.SearchTimeout }},
		{"EXTRA_COLUMNS", "athletes.national_rank, team-knockout.Seed2,", []string{"athletes.national_rank", "team-knockout.Seed2"}, func(c Config) any { return c.Database.ExtraColumns }},
		{"CACHE_BYTES", "1MiB", int64(1 << 20), func(c Config) any { return c.Cache.Bytes }},
		{"SITE_PRELOAD", "off", Switch(false), func(c Config) any { return c.SitePreload }},
		{"WARM", "season", WarmSeason, func(c Config) any { return c.Cache.Warm }},
		{"IDLE_COMPRESS", "OFF", Switch(false), func(c Config) any { return c.Cache.IdleCompress }},
		{"GENERATION_POLL", "1m30s", 90 * time.Second, func(c Config) any { return c.Cache.Poll }},
		{"SETTLE", "30s", 30 * time.Second, func(c Config) any { return c.Cache.Settle }},
		{"DATA_MAX_AGE", "1h", time.Hour, func(c Config) any { return c.Cache.DataMaxAge }},
		{"IMPLAUSIBLE_AFTER", "20m", 20 * time.Minute, func(c Config) any { return c.Cache.ImplausibleAfter }},
		{"CACHE_FILE", "/var/lib/xcri-proxy/cache", "/var/lib/xcri-proxy/cache", func(c Config) any { return c.Cache.File }},
		{"CACHE_MAX_AGE", "42s", 42 * time.Second, func(c Config) any { return c.Cache.MaxAge }},
		{"CACHE_STALE_WHILE_REVALIDATE", "1000ms", time.Second, func(c Config) any { return c.Cache.StaleWhileRevalidate }},
		{"FILL_TIMEOUT", "10.001s", 10001 * time.Millisecond, func(c Config) any { return c.Cache.FillTimeout }},
		{"WAIT_TIMEOUT", "7s", 7 * time.Second, func(c Config) any { return c.Cache.WaitTimeout }},
		{"SHARED_CACHE", "rediss://u:p@h:1/2?addr=i:3&master_set=m", Secret("rediss://u:p@h:1/2?addr=i:3&master_set=m"), func(c Config) any { return c.Cache.Shared }},
		{"CACHE_TAGS", "XKey", "xkey", func(c Config) any { return c.Front.Tags }},
		{"CDN_MAX_AGE", "1h", time.Hour, func(c Config) any { return c.Front.MaxAge }},
		{"CDN_STALE_IF_ERROR", "24h", 24 * time.Hour, func(c Config) any { return c.Front.StaleIfError }},
		{"PURGE_URLS", "http://127.0.0.1:6081/, https://cdn.example/zones/1?x=y,", []string{"http://127.0.0.1:6081/", "https://cdn.example/zones/1?x=y"}, func(c Config) any { return c.Front.PurgeURLs }},
		{"PURGE_METHOD", "POST", "POST", func(c Config) any { return c.Front.Method }},
		{"PURGE_HEADERS", "Surrogate-Key:{tags} ; Fastly-Key: {token};", fields{"Surrogate-Key: {tags}", "Fastly-Key: {token}"}, func(c Config) any { return c.Front.Headers }},
		{"PURGE_BODY", `{"tags":[{tags_json}]}`, `{"tags":[{tags_json}]}`, func(c Config) any { return c.Front.Body }},
		{"PURGE_TOKEN", "s3cr3t", Secret("s3cr3t"), func(c Config) any { return c.Front.Token }},
		{"LEGACY_URL", "https://old.example:81/api/", "https://old.example:81/api", func(c Config) any { return c.Legacy.URL }},
		{"TRUSTED_PROXIES", "10.1.2.3, fd00::/8", []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("fd00::/8")}, func(c Config) any { return c.TrustedProxies }},
		{"CLIENT_LIMITS", "costly=4, requests=0", ClientLimits{Quick: 512, Heavy: 64, Costly: 4}, func(c Config) any { return c.ClientLimits }},
		{"STATIC_DIR", "/var/www/xcri", "/var/www/xcri", func(c Config) any { return c.StaticDir }},
		{"STATE_FILE", "/var/lib/xcri-proxy/state.json", "/var/lib/xcri-proxy/state.json", func(c Config) any { return c.StateFile }},
		{"HISTORY_FILE", "/var/lib/xcri-proxy/history", "/var/lib/xcri-proxy/history", func(c Config) any { return c.HistoryFile }},
		{"PID_FILE", "/run/xcri-proxy.pid", "/run/xcri-proxy.pid", func(c Config) any { return c.PIDFile }},
		{"LEGACY_TIMEOUT", "30s", 30 * time.Second, func(c Config) any { return c.Legacy.Timeout }},
		{"LEGACY_MAX_CONNS", "1", 1, func(c Config) any { return c.Legacy.MaxConns }},
		{"SOURCE", "Auto", "auto", func(c Config) any { return c.Legacy.Source }},
		{"SOURCE_ROUTES", "/teams/=legacy, /athletes/{athlete_hnd}=auto,", map[string]string{"/teams/": "legacy", "/athletes/{athlete_hnd}": "auto"}, func(c Config) any { return c.Legacy.Routes }},
		{"AUTO_MAX_ERRORS", "12.5%", Share(0.125), func(c Config) any { return c.Legacy.MaxErrors }},
		{"AUTO_MAX_SLOWDOWN", "0", 0.0, func(c Config) any { return c.Legacy.MaxSlowdown }},
		{"VERIFY_SAMPLE", "0.1%", Share(0.001), func(c Config) any { return c.Legacy.VerifySample }},
	}
	tested := []string{envFileName}
	needs := map[string]map[string]string{ // keys that a key requires
		"PURGE_URLS":         {"CACHE_TAGS": "xkey"},
		"CDN_STALE_IF_ERROR": {"CDN_MAX_AGE": "1m"},
		"DATABASE_TLS_CA":    {"DATABASE_TLS": "verify"},
		"DATABASE_TLS_CERT":  {"DATABASE_TLS": "required", "DATABASE_TLS_CERT": "/c.pem", "DATABASE_TLS_KEY": "/k.pem"},
		"DATABASE_TLS_KEY":   {"DATABASE_TLS": "required", "DATABASE_TLS_CERT": "/c.pem", "DATABASE_TLS_KEY": "/k.pem"},
		"ADMIN_LOCAL_TOKEN":  {"ADMIN_TOKEN": "0123456789abcdef"},
	}
	for _, tt := range tests {
		tested = append(tested, tt.key)
		t.Run(tt.key, func(t *testing.T) {
			flags := map[string]string{}
			maps.Copy(flags, needs[tt.key])
			before := load(t, flags)
			flags[tt.key] = tt.text
			cfg := load(t, flags)
			if got := tt.got(cfg); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
			for _, k := range keys {
				if same := k.get(&cfg) == k.get(&before); same != (k.Name != tt.key) {
					t.Errorf("%s: unchanged is %v", k.Name, same)
				}
			}
		})
	}
	for _, k := range keys {
		if !slices.Contains(tested, k.Name) {
			t.Errorf("%s has no test: add a row with another value than its default to the table of this test", k.Name)
		}
	}
}

func TestSpecialValues(t *testing.T) {
	tests := []struct{ key, text, want string }{
		{"LISTEN_ADDR", ":0", ":0"},
		{"LISTEN_ADDR", "some-host.example:65535", "some-host.example:65535"},
		{"LISTEN_ADDR", "unix:/run/xcri-proxy.sock", "unix:/run/xcri-proxy.sock"},
		{"LISTEN_ADDR", "unix:/run/a b/é", "unix:/run/a b/é"},
		{"LISTEN_ADDR", "unix:/" + strings.Repeat("x", maxSocketPath-1), "unix:/" + strings.Repeat("x", maxSocketPath-1)},
		{"LISTEN_SOCKET_MODE", "0000", "0000"},
		{"LISTEN_SOCKET_MODE", "777", "0777"},
		{"ADMIN_ADDR", "", ""},
		{"ADMIN_ADDR", "127.0.0.1:0", "127.0.0.1:0"},
		{"ADMIN_ADDR", "[::1]:9000", "[::1]:9000"},
		{"ADMIN_ADDR", "localhost:9000", "localhost:9000"},
		{"ADMIN_LOCAL_TOKEN", "OPTIONAL", "optional"},
		{"BASE_PATH", "", ""},
		{"BASE_PATH", "/", ""},
		{"BASE_PATH", "/.well-known/x_y~z", "/.well-known/x_y~z"},
		{"LOG_LEVEL", "Warning", "WARN"},
		{"LOG_LEVEL", "warn", "WARN"},
		{"LOG_LEVEL", "CRITICAL", "ERROR"},
		{"LOG_LEVEL", "Error", "ERROR"},
		{"API_CORS_ORIGINS", "", ""},
		{"API_CORS_ORIGINS", " * ", "*"},
		{"API_CORS_ORIGINS", "https://A.example, http://[::1]:5173 ,", "https://a.example,http://[::1]:5173"},
		{"ADMIN_TOKEN", "", "(not set)"},
		{"DATABASE_HOST", "db_1.example", "db_1.example"},
		{"DATABASE_HOST", " a, 10.0.0.2 ,::1", "a,10.0.0.2,::1"},
		{"DATABASE_TLS", "PREFERRED", "preferred"},
		{"DATABASE_SOCKET", "", ""},
		{"MEMORY_LIMIT", "157286401", "157286401"},
		{"MEMORY_LIMIT", "1.5GiB", "1536MiB"},
		{"MEMORY_LIMIT", "2048 mib", "2GiB"},
		{"MEMORY_LIMIT", "100001KiB", "100001KiB"},
		{"SHUTDOWN_TIMEOUT", "8760h", "8760h"},
		{"SHUTDOWN_TIMEOUT", "1h0m5s", "1h5s"},
		{"SHUTDOWN_TIMEOUT", "90m", "1h30m"},
		{"SHUTDOWN_TIMEOUT", "10m", "10m"},
		{"SHUTDOWN_TIMEOUT", "3600", "1h"},
		{"SHUTDOWN_TIMEOUT", "+5", "5s"},
		{"LEGACY_URL", "", ""},
		{"LEGACY_URL", "http://[::1]:8001", "http://[::1]:8001"},
		{"LEGACY_URL", "HTTP://old.example/a%20b", "HTTP://old.example/a%20b"},
		{"TRUSTED_PROXIES", "", ""},
		{"TRUSTED_PROXIES", " , ", ""},
		{"TRUSTED_PROXIES", "10.1.2.3/32, 10.0.0.0/8,::1/128 ,FD00::/8", "10.1.2.3,10.0.0.0/8,::1,fd00::/8"},
		{"TRUSTED_PROXIES", "0.0.0.0/0,::/0", "0.0.0.0/0,::/0"},
		{"TRUSTED_PROXIES", "::ffff:10.1.2.3", "10.1.2.3"},
		{"CLIENT_LIMITS", "Off", "off"},
		{"CLIENT_LIMITS", "requests=0,quick=0,heavy=0,costly=0", "off"},
		{"CLIENT_LIMITS", " heavy=128 ,, costly=0,", "requests=2000,quick=512,heavy=128,costly=0"},
		{"STATIC_DIR", "../a site/dist", "../a site/dist"},
		{"STATE_FILE", "", ""},
		{"LEGACY_TIMEOUT", "100ms", "100ms"},
		{"LEGACY_TIMEOUT", "90", "1m30s"},
		{"LEGACY_MAX_CONNS", "100", "100"},
		{"SOURCE", "LEGACY", "legacy"},
		{"SOURCE", "Store", "store"},
		{"SOURCE_ROUTES", "", ""},
		{"SOURCE_ROUTES", " /teams/=Store ,,/athletes/=LEGACY, ", "/athletes/=legacy,/teams/=store"},
		{"AUTO_MAX_ERRORS", "5", "5%"},
		{"AUTO_MAX_ERRORS", "0.1 %", "0.1%"},
		{"AUTO_MAX_ERRORS", "100.0%", "100%"},
		{"AUTO_MAX_SLOWDOWN", "1.5", "1.5"},
		{"AUTO_MAX_SLOWDOWN", "1e3", "1000"},
		{"VERIFY_SAMPLE", "0", "0%"},
		{"VERIFY_SAMPLE", "100", "100%"},
		{"VERIFY_SAMPLE", "33.33333333333%", "33.333333%"},
		{"VERIFY_SAMPLE", "0.000001", "0.000001%"},
	}
	for _, tt := range tests {
		t.Run(tt.key+"="+tt.text, func(t *testing.T) {
			cfg := load(t, map[string]string{tt.key: tt.text})
			k, _ := keyNamed(tt.key)
			if got := k.get(&cfg); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBadValues(t *testing.T) {
	const (
		addr     = "must be host:port with a port from 0 to 65535, an IPv6 address in brackets, or unix: and a path"
		socket   = "must be unix: and the absolute path of a socket, of at most 103 bytes"
		mode     = "must be the octal mode of a socket, such as 0660"
		demand   = "must be required or optional"
		onOff    = "must be on or off"
		clients  = "must be off, or pairs like costly=16, with requests, quick, heavy or costly, comma separated"
		costly   = "must have a whole number from 0 to 1000000 for costly"
		base     = "must be a path like /iz/xcri of letters, digits, - _ ~ and single dots, without a slash at the end"
		levels   = "must be debug, info, warn (warning) or error (critical)"
		token    = "must be at least 16 printable ASCII characters without a space"
		host     = "must be a host name or an IP address, without port, or several, comma separated"
		name     = "must be a name of 1 to 64 characters"
		seconds  = "must be a duration from 0s to 8760h, such as 90s or 1m30s; a bare number is seconds"
		atLeast1 = "must be a duration from 1ms to 8760h, such as 90s or 1m30s; a bare number is seconds"
		url      = "must be http://host:port or https://host:port, perhaps with a path, but without user, query or fragment"
	)
	const (
		shared        = "must be redis://host:port, rediss://host:port or unix:///path, perhaps with user:password@ in percent-encoding, and with /number of a database after the port"
		legacyTimeout = "must be a duration from 100ms to 8760h, such as 90s or 1m30s; a bare number is seconds"
		source        = "must be store, legacy or auto"
		errorShare    = "must be a percentage from 0.1% to 100%"
		slowdown      = "must be a number from 1.5 to 1000, or 0"
		purgeURLs     = "must be http://host:port or https://host:port, perhaps with a path, but without user or fragment, or several, comma separated"
		purgeFields   = "must be header fields like Authorization: Bearer {token}, separated by semicolons"
		sample        = "must be a percentage from 0% to 100%"
		path          = "must be a path without control characters"
	)
	networks := func(item string) string {
		return fmt.Sprintf("must be addresses or networks like 10.0.0.1 or 10.0.0.0/8, comma separated; %q is not valid", item)
	}
	pairs := func(item string) string {
		return fmt.Sprintf("must be pairs like /teams/=legacy, with store, legacy or auto, comma separated; %q is not valid", item)
	}
	origins := func(item string) string {
		return fmt.Sprintf("must be origins like https://host or https://host:port, comma separated; %q is not valid", item)
	}
	tests := []struct{ key, text, want string }{
		{"LISTEN_ADDR", "", addr},
		{"LISTEN_ADDR", "8000", addr},
		{"LISTEN_ADDR", "127.0.0.1", addr},
		{"LISTEN_ADDR", "127.0.0.1:", addr},
		{"LISTEN_ADDR", "127.0.0.1:65536", addr},
		{"LISTEN_ADDR", "127.0.0.1:-1", addr},
		{"LISTEN_ADDR", "127.0.0.1:http", addr},
		{"LISTEN_ADDR", "::1:8000", addr},
		{"LISTEN_ADDR", "my host:8000", addr},
		{"LISTEN_ADDR", "http://host:8000", addr},
		{"LISTEN_ADDR", "/run/xcri-proxy.sock", addr},
		{"LISTEN_ADDR", "UNIX:/run/xcri-proxy.sock", addr},
		{"LISTEN_ADDR", "unix:", socket},
		{"LISTEN_ADDR", "unix:/", socket},
		{"LISTEN_ADDR", "unix:run/x", socket},
		{"LISTEN_ADDR", "unix:/run/", socket},
		{"LISTEN_ADDR", "unix:/run/../x", socket},
		{"LISTEN_ADDR", "unix:/a\x7f", socket},
		{"LISTEN_ADDR", "unix:/a\x1f", socket},
		{"LISTEN_SOCKET_MODE", "", mode},
		{"LISTEN_SOCKET_MODE", "66", mode},
		{"LISTEN_SOCKET_MODE", "0668", mode},
		{"LISTEN_SOCKET_MODE", "01666", mode},
		{"LISTEN_SOCKET_MODE", "rw-rw----", mode},
		{"ADMIN_SOCKET_MODE", "0o600", mode},
		{"ADMIN_ADDR", "9000", addr},
		{"ADMIN_LOCAL_TOKEN", "", demand},
		{"WARM", "", "must be lists or season"},
		{"WARM", "Season", "must be lists or season"},
		{"IDLE_COMPRESS", "", onOff},
		{"SITE_PRELOAD", "1", onOff},
		{"IDLE_COMPRESS", "yes", onOff},
		{"ADMIN_LOCAL_TOKEN", "true", demand},
		{"BASE_PATH", "iz/xcri", base},
		{"BASE_PATH", "/iz/xcri/", base},
		{"BASE_PATH", "/iz//xcri", base},
		{"BASE_PATH", "//", base},
		{"BASE_PATH", "/iz/../xcri", base},
		{"BASE_PATH", "/iz/./xcri", base},
		{"BASE_PATH", "/iz?x", base},
		{"BASE_PATH", "/iz#x", base},
		{"BASE_PATH", "/iz%20x", base},
		{"BASE_PATH", "/iz x", base},
		{"BASE_PATH", "/iz\n", base},
		{"LOG_LEVEL", "", levels},
		{"LOG_LEVEL", "loud", levels},
		{"LOG_LEVEL", "INFO+1", levels},
		{"EXTRA_COLUMNS", "athletes", "must be columns like athletes.national_rank, comma separated; \"athletes\" is not valid"},
		{"EXTRA_COLUMNS", "teams.a, snapshots.b", "must be columns like athletes.national_rank, comma separated; \"snapshots.b\" is not valid"},
		{"EXTRA_COLUMNS", "teams.a b", "must be columns like athletes.national_rank, comma separated; \"teams.a b\" is not valid"},
		{"EXTRA_COLUMNS", "teams.`a`", "must be columns like athletes.national_rank, comma separated; \"teams.`a`\" is not valid"},
		{"EXTRA_COLUMNS", "teams.1", "must be columns like athletes.national_rank, comma separated; \"teams.1\" is not valid"},
		{"API_CORS_ORIGINS", "*,https://a.example", "must have * alone or not at all"},
		{"API_CORS_ORIGINS", "https://a.example,web4.ustfccca.org", origins("web4.ustfccca.org")},
		{"API_CORS_ORIGINS", "https://a.example/", origins("https://a.example/")},
		{"API_CORS_ORIGINS", "https://a.example/path", origins("https://a.example/path")},
		{"API_CORS_ORIGINS", "https://a.example?x", origins("https://a.example?x")},
		{"API_CORS_ORIGINS", "https://a.example:", origins("https://a.example:")},
		{"API_CORS_ORIGINS", "https://a.example:0", origins("https://a.example:0")},
		{"API_CORS_ORIGINS", "https://a.example:99999", origins("https://a.example:99999")},
		{"API_CORS_ORIGINS", "https://*.example", origins("https://*.example")},
		{"API_CORS_ORIGINS", "https://", origins("https://")},
		{"API_CORS_ORIGINS", "https://a b", origins("https://a b")},
		{"DATABASE_HOST", "", host},
		{"DATABASE_HOST", "localhost:3306", host},
		{"DATABASE_HOST", "[::1]", host},
		{"DATABASE_HOST", "a b", host},
		{"DATABASE_HOST", "-x", host},
		{"DATABASE_HOST", "a,", host},
		{"DATABASE_HOST", "a,b,a", `names "a" twice`},
		{"DATABASE_TLS", "", "must be off, preferred, required or verify"},
		{"DATABASE_TLS", "on", "must be off, preferred, required or verify"},
		{"DATABASE_PORT", "", "must be a whole number from 1 to 65535"},
		{"DATABASE_PORT", "0", "must be a whole number from 1 to 65535"},
		{"DATABASE_PORT", "65536", "must be a whole number from 1 to 65535"},
		{"DATABASE_PORT", "3306.5", "must be a whole number from 1 to 65535"},
		{"DATABASE_SOCKET", "run/mysqld.sock", "must be a path that begins with /"},
		{"DATABASE_SOCKET", "/", "must be a path that begins with /"},
		{"DATABASE_SOCKET", "/run/\x00", "must be a path that begins with /"},
		{"DATABASE_NAME", "", name},
		{"DATABASE_NAME", "a\nb", name},
		{"DATABASE_USER", "", name},
		{"DATABASE_USER", strings.Repeat("x", 65), name},
		{"DATABASE_MAX_CONNS", "0", "must be a whole number from 1 to 100"},
		{"DATABASE_MAX_CONNS", "101", "must be a whole number from 1 to 100"},
		{"DATABASE_MAX_CONNS", "many", "must be a whole number from 1 to 100"},
		{"DATABASE_STATEMENT_TIMEOUT", "99ms", "must be a duration from 100ms to 8760h, such as 90s or 1m30s; a bare number is seconds"},
		{"MEMORY_LIMIT", "63MiB", "must be a size of at least 64MiB, such as 512MiB, 512MB or 536870912"},
		{"MEMORY_LIMIT", "16EiB", "must be a size of at least 64MiB, such as 512MiB, 512MB or 536870912"},
		{"MEMORY_LIMIT", "9EiB", "must be a size of at least 64MiB, such as 512MiB, 512MB or 536870912"},
		{"CACHE_BYTES", "", "must be a size of at least 1MiB, such as 512MiB, 512MB or 536870912"},
		{"CACHE_BYTES", "-1", "must be a size of at least 1MiB, such as 512MiB, 512MB or 536870912"},
		{"CACHE_BYTES", "64 miles", "must be a size of at least 1MiB, such as 512MiB, 512MB or 536870912"},
		{"CACHE_BYTES", "1048575", "must be a size of at least 1MiB, such as 512MiB, 512MB or 536870912"},
		{"WAIT_TIMEOUT", "", atLeast1},
		{"WAIT_TIMEOUT", "0", atLeast1},
		{"WAIT_TIMEOUT", "soon", atLeast1},
		{"WAIT_TIMEOUT", "99999999999999999999", atLeast1},
		{"WAIT_TIMEOUT", "9223372036854775807", atLeast1},
		{"SHUTDOWN_TIMEOUT", "-1s", atLeast1},
		{"SHUTDOWN_TIMEOUT", "8761h", atLeast1},
		{"SHUTDOWN_TIMEOUT", "1.5", atLeast1},
		{"CACHE_MAX_AGE", "1500ms", "must be whole seconds, such as 30s"},
		{"CACHE_MAX_AGE", "-5", seconds},
		{"SHARED_CACHE", "h:6379", shared},
		{"SHARED_CACHE", "http://h:6379", shared},
		{"SHARED_CACHE", "redis:h:6379", shared},
		{"SHARED_CACHE", "redis://", shared},
		{"SHARED_CACHE", "redis://h:", shared},
		{"SHARED_CACHE", "redis://h:0", shared},
		{"SHARED_CACHE", "redis://h:65536", shared},
		{"SHARED_CACHE", "redis://[h", shared},
		{"SHARED_CACHE", "redis://h,i", shared},
		{"SHARED_CACHE", "redis://u:p w@h", shared},
		{"SHARED_CACHE", "redis://u:p#w@h", shared},
		{"SHARED_CACHE", "redis://h/", shared},
		{"SHARED_CACHE", "redis://h:1/x", shared},
		{"SHARED_CACHE", "rediss://h/1/2", shared},
		{"SHARED_CACHE", "unix:", shared},
		{"SHARED_CACHE", "unix:/", shared},
		{"SHARED_CACHE", "unix:///", shared},
		{"SHARED_CACHE", "unix://run/redis.sock", shared},
		{"SHARED_CACHE", "redis://h?name=m", "must have no other parameters than addr, master_set, sentinel_username, sentinel_password"},
		{"CACHE_TAGS", "on", "must be off, surrogate-key, xkey or cache-tag"},
		{"CDN_MAX_AGE", "1.5s", "must be whole seconds, such as 30s"},
		{"PURGE_URLS", "127.0.0.1:6081", purgeURLs},
		{"PURGE_URLS", "ftp://a", purgeURLs},
		{"PURGE_URLS", "http://a#b", purgeURLs},
		{"PURGE_URLS", "http://a,http://a", "names a URL twice"},
		{"PURGE_METHOD", "purge", "must be a method in capital letters, such as PURGE or POST"},
		{"PURGE_HEADERS", "no colon", purgeFields},
		{"PURGE_HEADERS", "a b: c", purgeFields},
		{"PURGE_HEADERS", "a: b\r\nc: d", purgeFields},
		{"PURGE_HEADERS", "a: {tag}", "must have no other placeholders than {tags}, {tags_comma}, {tags_json} and {token}; {tag} is unknown"},
		{"PURGE_BODY", "{url}", "must have no other placeholders than {tags}, {tags_comma}, {tags_json} and {token}; {url} is unknown"},
		{"CACHE_STALE_WHILE_REVALIDATE", "0.5s", "must be whole seconds, such as 30s"},
		{"FILL_TIMEOUT", "0", atLeast1},
		{"WAIT_TIMEOUT", "0", atLeast1},
		{"SHUTDOWN_TIMEOUT", "x", atLeast1},
		{"SLOW_REQUEST", "-1s", "must be a duration from 0s to 8760h, such as 90s or 1m30s; a bare number is seconds"},
		{"ACCESS_LOG", "a\nb", "must be a path without control characters"},
		{"ACCESS_LOG_FORMAT", "common", "must be combined or json"},
		{"ACCESS_LOG_SIZE", "1023KiB", "must be a size of at least 1MiB, such as 512MiB, 512MB or 536870912"},
		{"ACCESS_LOG_FILES", "0", "must be a whole number from 1 to 1000"},
		{"SLOW_FILL", "soon", "must be a duration from 0s to 8760h, such as 90s or 1m30s; a bare number is seconds"},
		{"LEGACY_URL", "127.0.0.1:8001", url},
		{"LEGACY_URL", "ftp://old.example", url},
		{"LEGACY_URL", "http://", url},
		{"LEGACY_URL", "http:///x", url},
		{"LEGACY_URL", "http://old.example:port", url},
		{"LEGACY_URL", "http://old.example:65536", url},
		{"LEGACY_URL", "http://old.example/?", url},
		{"LEGACY_URL", "http://old.example/?a=b", url},
		{"LEGACY_URL", "http://old.example/#", url},
		{"LEGACY_URL", "/just/a/path", url},
		{"TRUSTED_PROXIES", "localhost", networks("localhost")},
		{"TRUSTED_PROXIES", "*", networks("*")},
		{"TRUSTED_PROXIES", "10.0.0.1/8", networks("10.0.0.1/8")},
		{"TRUSTED_PROXIES", "::1, 10.0.0.0/33", networks("10.0.0.0/33")},
		{"TRUSTED_PROXIES", "10.0.0", networks("10.0.0")},
		{"TRUSTED_PROXIES", "010.0.0.1", networks("010.0.0.1")},
		{"TRUSTED_PROXIES", "10.0.0.1:80", networks("10.0.0.1:80")},
		{"TRUSTED_PROXIES", "10.0.0.1 10.0.0.2", networks("10.0.0.1 10.0.0.2")},
		{"TRUSTED_PROXIES", "fe80::1%eth0", networks("fe80::1%eth0")},
		{"TRUSTED_PROXIES", "::ffff:10.0.0.0/104", networks("::ffff:10.0.0.0/104")},
		{"CLIENT_LIMITS", "", clients},
		{"CLIENT_LIMITS", ",", clients},
		{"CLIENT_LIMITS", "16", clients + `; "16" is not valid`},
		{"CLIENT_LIMITS", "searches=16", clients + `; "searches=16" is not valid`},
		{"CLIENT_LIMITS", "off,costly=16", clients + `; "off" is not valid`},
		{"CLIENT_LIMITS", "costly=-1", costly},
		{"CLIENT_LIMITS", "costly=1000001", costly},
		{"CLIENT_LIMITS", "costly", costly},
		{"CLIENT_LIMITS", "costly=1,costly=2", `names "costly" twice`},
		{"STATIC_DIR", "/srv/\x00", path},
		{"STATIC_DIR", "/srv\nx", path},
		{"STATE_FILE", "\x7f", path},
		{"HISTORY_FILE", "a\nb", path},
		{"LEGACY_TIMEOUT", "99ms", legacyTimeout},
		{"LEGACY_TIMEOUT", "0", legacyTimeout},
		{"LEGACY_TIMEOUT", "", legacyTimeout},
		{"LEGACY_MAX_CONNS", "0", "must be a whole number from 1 to 100"},
		{"LEGACY_MAX_CONNS", "101", "must be a whole number from 1 to 100"},
		{"LEGACY_MAX_CONNS", "", "must be a whole number from 1 to 100"},
		{"SOURCE", "", source},
		{"SOURCE", "mysql", source},
		{"SOURCE", "store ", source},
		{"SOURCE_ROUTES", "legacy", pairs("legacy")},
		{"SOURCE_ROUTES", "/teams/", pairs("/teams/")},
		{"SOURCE_ROUTES", "/teams/=", pairs("/teams/=")},
		{"SOURCE_ROUTES", "/teams/=both", pairs("/teams/=both")},
		{"SOURCE_ROUTES", "teams=legacy", pairs("teams=legacy")},
		{"SOURCE_ROUTES", "/a=auto;/b=auto", pairs("/a=auto;/b=auto")},
		{"SOURCE_ROUTES", "/a=auto,/b =auto", pairs("/b =auto")},
		{"SOURCE_ROUTES", "/a=auto, /a=legacy", `names "/a" twice`},
		{"AUTO_MAX_ERRORS", "", errorShare},
		{"AUTO_MAX_ERRORS", "0", errorShare},
		{"AUTO_MAX_ERRORS", "0.0999%", errorShare},
		{"AUTO_MAX_ERRORS", "100.1%", errorShare},
		{"AUTO_MAX_ERRORS", "-5%", errorShare},
		{"AUTO_MAX_ERRORS", "5%%", errorShare},
		{"AUTO_MAX_ERRORS", "NaN", errorShare},
		{"AUTO_MAX_ERRORS", "five", errorShare},
		{"AUTO_MAX_SLOWDOWN", "", slowdown},
		{"AUTO_MAX_SLOWDOWN", "1", slowdown},
		{"AUTO_MAX_SLOWDOWN", "-2", slowdown},
		{"AUTO_MAX_SLOWDOWN", "1000.1", slowdown},
		{"AUTO_MAX_SLOWDOWN", "NaN", slowdown},
		{"AUTO_MAX_SLOWDOWN", "+Inf", slowdown},
		{"AUTO_MAX_SLOWDOWN", "3x", slowdown},
		{"VERIFY_SAMPLE", "", sample},
		{"VERIFY_SAMPLE", "-0.1%", sample},
		{"VERIFY_SAMPLE", "101", sample},
		{"VERIFY_SAMPLE", "off", sample},
		{"VERIFY_SAMPLE", "nan%", sample},
		{"ENV_FILE", "/does/not/exist", "open /does/not/exist: no such file or directory"},
	}
	for _, tt := range tests {
		t.Run(tt.key+"="+tt.text, func(t *testing.T) {
			k, _ := keyNamed(tt.key)
			_, err := Load(map[string]string{tt.key: tt.text}, environment(nil))
			want := fmt.Sprintf("%s=%q (flag --%s): %s", tt.key, tt.text, k.Flag(), tt.want)
			if k.Secret {
				want = fmt.Sprintf("%s (flag --%s): %s", tt.key, k.Flag(), tt.want)
			}
			if len(tt.text) > 64 && tt.key != "DATABASE_USER" {
				t.Fatal("long values are cut, test them apart")
			}
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
	for _, long := range []string{"unix:@x", "unix:/" + strings.Repeat("x", maxSocketPath)} {
		if _, err := parseAddr(long); err == nil || err.Error() != socket {
			t.Errorf("%s: %v", long, err)
		}
	}
	for _, bad := range []string{"short", "has a space in it", "0123456789abcdé", "tab\tin-the-middle-of-it"} {
		_, err := Load(map[string]string{"ADMIN_TOKEN": bad}, environment(nil))
		if want := "ADMIN_TOKEN (flag --admin-token): " + token; err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestRelations(t *testing.T) {
	tests := []struct {
		name  string
		flags map[string]string
		want  string
	}{
		{"cache just fits", map[string]string{"CACHE_BYTES": "105MiB"}, ""},
		{"cache too large", map[string]string{"CACHE_BYTES": "106MiB"},
			`CACHE_BYTES="106MiB" (flag --cache-bytes): must be at most 105MiB, 70% of MEMORY_LIMIT, which is 150MiB (default)`},
		{"limit too small", map[string]string{"MEMORY_LIMIT": "80MiB"},
			`CACHE_BYTES="64MiB" (default): must be at most 56MiB, 70% of MEMORY_LIMIT, which is 80MiB (flag --memory-limit)`},
		{"fill as short as a statement", map[string]string{"FILL_TIMEOUT": "10s"},
			`FILL_TIMEOUT="10s" (flag --fill-timeout): must be longer than DATABASE_STATEMENT_TIMEOUT, which is 10s (default)`},
		{"admin at the same address", map[string]string{"ADMIN_ADDR": "127.0.0.1:8000"},
			`ADMIN_ADDR="127.0.0.1:8000" (flag --admin-addr): must differ from LISTEN_ADDR, which is 127.0.0.1:8000 (default)`},
		{"admin at the same socket", map[string]string{"ADMIN_ADDR": "unix:/x", "LISTEN_ADDR": "unix:/x"},
			`ADMIN_ADDR="unix:/x" (flag --admin-addr): must differ from LISTEN_ADDR, which is unix:/x (flag --listen-addr)`},
		{"any two free ports", map[string]string{"ADMIN_ADDR": "127.0.0.1:0", "LISTEN_ADDR": "127.0.0.1:0"}, ""},
		{"admin for the world", map[string]string{"ADMIN_ADDR": ":9000"},
			`ADMIN_ADDR=":9000" (flag --admin-addr): can be reached from other machines, so it needs an ADMIN_TOKEN, which is (not set) (default)`},
		{"admin for a network", map[string]string{"ADMIN_ADDR": "10.0.0.1:9000"},
			`ADMIN_ADDR="10.0.0.1:9000" (flag --admin-addr): can be reached from other machines, so it needs an ADMIN_TOKEN, which is (not set) (default)`},
		{"admin for the world with a token", map[string]string{"ADMIN_ADDR": ":9000", "ADMIN_TOKEN": "0123456789abcdef"}, ""},
		{"admin for any name", map[string]string{"ADMIN_ADDR": "localhost.example:9000"},
			`ADMIN_ADDR="localhost.example:9000" (flag --admin-addr): can be reached from other machines, so it needs an ADMIN_TOKEN, which is (not set) (default)`},
		{"a token that is not there is required", map[string]string{"ADMIN_LOCAL_TOKEN": "required"},
			`ADMIN_LOCAL_TOKEN="required" (flag --admin-local-token): needs an ADMIN_TOKEN, which is (not set) (default)`},
		{"a token that is not known is required", map[string]string{"ADMIN_LOCAL_TOKEN": "required", "ADMIN_TOKEN": "x"},
			`ADMIN_TOKEN (flag --admin-token): must be at least 16 printable ASCII characters without a space`},
		{"one side is not known", map[string]string{"MEMORY_LIMIT": "none", "CACHE_BYTES": "1GiB"},
			`MEMORY_LIMIT="none" (flag --memory-limit): must be a size of at least 64MiB, such as 512MiB, 512MB or 536870912`},
		{"a site without a path", map[string]string{"STATIC_DIR": "/srv", "BASE_PATH": "/"},
			`STATIC_DIR="/srv" (flag --static-dir): needs a BASE_PATH for the site to be under, which is empty (flag --base-path)`},
		{"a site whose path is not known", map[string]string{"STATIC_DIR": "/srv", "BASE_PATH": "x"},
			`BASE_PATH="x" (flag --base-path): must be a path like /iz/xcri of letters, digits, - _ ~ and single dots, without a slash at the end`},
		{"authorities for no verification", map[string]string{"DATABASE_TLS": "required", "DATABASE_TLS_CA": "/ca"},
			`DATABASE_TLS_CA="/ca" (flag --database-tls-ca): needs verify as DATABASE_TLS, which is required (flag --database-tls)`},
		{"a certificate without a key", map[string]string{"DATABASE_TLS": "required", "DATABASE_TLS_CERT": "/c"},
			`DATABASE_TLS_CERT="/c" (flag --database-tls-cert): needs a DATABASE_TLS_KEY, which is empty (default)`},
		{"a key without a certificate", map[string]string{"DATABASE_TLS": "required", "DATABASE_TLS_KEY": "/k"},
			`DATABASE_TLS_KEY="/k" (flag --database-tls-key): needs a DATABASE_TLS_CERT, which is empty (default)`},
		{"a certificate without TLS", map[string]string{"DATABASE_TLS_CERT": "/c", "DATABASE_TLS_KEY": "/k"},
			`DATABASE_TLS_CERT="/c" (flag --database-tls-cert): needs DATABASE_TLS, which is off (default)`},
		{"purges of answers without tags", map[string]string{"PURGE_URLS": "http://a"},
			`PURGE_URLS="http://a" (flag --purge-urls): needs CACHE_TAGS, which is off (default)`},
		{"purges that name no tag", map[string]string{"PURGE_URLS": "http://a", "CACHE_TAGS": "xkey", "PURGE_HEADERS": "X-All: 1", "PURGE_BODY": "all"},
			`PURGE_HEADERS="X-All: 1" (flag --purge-headers): must name the tags there or in PURGE_BODY: {tags}, {tags_comma} or {tags_json}, which is all (flag --purge-body)`},
		{"purges without a token", map[string]string{"PURGE_URLS": "http://a", "CACHE_TAGS": "xkey", "PURGE_HEADERS": "Key: {token}", "PURGE_BODY": "{tags}"},
			`PURGE_HEADERS="Key: {token}" (flag --purge-headers): contains {token} there or in PURGE_BODY, and needs a PURGE_TOKEN, which is (not set) (default)`},
		{"purges by a body", map[string]string{"PURGE_URLS": "http://a", "CACHE_TAGS": "xkey", "PURGE_HEADERS": "", "PURGE_BODY": "{tags_comma}"}, ""},
		{"an age after no age", map[string]string{"CDN_STALE_IF_ERROR": "1s"},
			`CDN_STALE_IF_ERROR="1s" (flag --cdn-stale-if-error): needs a CDN_MAX_AGE, which is 0s (default)`},
		{"no site and no path", map[string]string{"BASE_PATH": ""}, ""},
		{"no old API for all", map[string]string{"SOURCE": "legacy", "LEGACY_URL": ""},
			`SOURCE="legacy" (flag --source): needs a LEGACY_URL, which is empty (flag --legacy-url)`},
		{"no old API to turn to", map[string]string{"SOURCE": "auto", "LEGACY_URL": ""},
			`SOURCE="auto" (flag --source): needs a LEGACY_URL, which is empty (flag --legacy-url)`},
		{"no old API for a route", map[string]string{"SOURCE_ROUTES": "/a=store,/b=auto", "LEGACY_URL": ""},
			`SOURCE_ROUTES="/a=store,/b=auto" (flag --source-routes): needs a LEGACY_URL, which is empty (flag --legacy-url)`},
		{"no old API to compare with", map[string]string{"VERIFY_SAMPLE": "1", "LEGACY_URL": ""},
			`VERIFY_SAMPLE="1%" (flag --verify-sample): needs a LEGACY_URL, which is empty (flag --legacy-url)`},
		{"no old API and no need of it", map[string]string{"SOURCE": "store", "SOURCE_ROUTES": "/a=store", "VERIFY_SAMPLE": "0", "LEGACY_URL": ""}, ""},
		{"an old API that is not known", map[string]string{"SOURCE": "auto", "SOURCE_ROUTES": "/a=legacy", "VERIFY_SAMPLE": "1%", "LEGACY_URL": "old"},
			`LEGACY_URL="old" (flag --legacy-url): must be http://host:port or https://host:port, perhaps with a path, but without user, query or fragment`},
		{"sources that are not known", map[string]string{"SOURCE": "x", "SOURCE_ROUTES": "/a=store", "LEGACY_URL": ""},
			`SOURCE="x" (flag --source): must be store, legacy or auto`},
		{"all that needs an old API", map[string]string{"SOURCE": "auto", "SOURCE_ROUTES": "/a=legacy", "VERIFY_SAMPLE": "0.5%", "LEGACY_URL": ""},
			`SOURCE="auto" (flag --source): needs a LEGACY_URL, which is empty (flag --legacy-url)` + "\n" +
				`SOURCE_ROUTES="/a=legacy" (flag --source-routes): needs a LEGACY_URL, which is empty (flag --legacy-url)` + "\n" +
				`VERIFY_SAMPLE="0.5%" (flag --verify-sample): needs a LEGACY_URL, which is empty (flag --legacy-url)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(tt.flags, environment(nil))
			if got := message(err); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestValidate(t *testing.T) {
	cfg := load(t, nil)
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	cfg.places = nil
	cfg.Cache.FillTimeout = time.Second
	want := `FILL_TIMEOUT="1s": must be longer than DATABASE_STATEMENT_TIMEOUT, which is 10s`
	if got := message(cfg.Validate()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPrecedence(t *testing.T) {
	path := writeEnvFile(t, "LISTEN_ADDR=file:1\nDATABASE_HOST=file\ndatabase_user=file\nDATABASE_USER=later\n")
	flags := map[string]string{"LISTEN_ADDR": "flag:1", "ENV_FILE": path}
	env := environment(map[string]string{"LISTEN_ADDR": "env:1", "DATABASE_HOST": "env", "ENV_FILE": "/not/read"})
	cfg, err := Load(flags, env)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"ENV_FILE=" + path + " # flag --env-file",
		"LISTEN_ADDR=flag:1 # flag --listen-addr",
		"DATABASE_HOST=env # environment",
		"DATABASE_USER=later # " + path + ":4",
		"DATABASE_PORT=3306 # default",
	} {
		if !strings.Contains(squeeze(cfg.String()), line+"\n") {
			t.Errorf("no line %q in\n%s", line, cfg)
		}
	}
}

// squeeze replaces each run of spaces by one space.
func squeeze(text string) string {
	for strings.Contains(text, "  ") {
		text = strings.ReplaceAll(text, "  ", " ")
	}
	return text
}

// An empty variable counts as set, and means "none".
func TestEmptyValueIsAValue(t *testing.T) {
	cfg, err := Load(nil, environment(map[string]string{"LEGACY_URL": "", "BASE_PATH": ""}))
	if err != nil || cfg.Legacy.URL != "" || cfg.BasePath != "" {
		t.Errorf("got %q, %q, %v", cfg.Legacy.URL, cfg.BasePath, err)
	}
}

func TestAllProblemsAreReportedTogether(t *testing.T) {
	path := writeEnvFile(t, "DATABASE_PORT=x\nDATABASE_HOSTT=y\nno equal sign\n")
	env := map[string]string{"ENV_FILE": path, "LOG_LEVEL": "loud", "CACHE_BYTE": "1"}
	_, err := Load(map[string]string{"WAIT_TIMEOUT": "x", "NO_KEY_AT_ALL": ""}, environment(env), "ENV_FILE", "LOG_LEVEL", "CACHE_BYTE")
	want := []string{
		`unknown key CACHE_BYTE, did you mean CACHE_BYTES? (environment)`,
		`unknown key NO_KEY_AT_ALL among the flags`,
		path + `:2: unknown key DATABASE_HOSTT, did you mean DATABASE_HOST?`,
		path + `:3: must be KEY=value, a comment or empty`,
		`LOG_LEVEL="loud" (environment): must be debug, info, warn (warning) or error (critical)`,
		`DATABASE_PORT="x" (` + path + `:1): must be a whole number from 1 to 65535`,
		`WAIT_TIMEOUT="x" (flag --wait-timeout): must be a duration from 1ms to 8760h, such as 90s or 1m30s; a bare number is seconds`,
	}
	if got := message(err); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	const secret = "s3cr3t-s3cr3t-s3cr3t"
	cfg := load(t, map[string]string{"ADMIN_TOKEN": secret, "DATABASE_PASSWORD": secret})
	asJSON, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", cfg, "token", cfg.AdminToken)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", cfg, "token", cfg.AdminToken)
	for _, text := range []string{
		cfg.String(), fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg), string(asJSON), log.String(),
		fmt.Sprintf("%s %q %x %#v", cfg.AdminToken, cfg.AdminToken, cfg.AdminToken, cfg.AdminToken),
	} {
		if strings.Contains(text, "s3cr3t") || strings.Contains(text, fmt.Sprintf("%x", "s3cr3t")) {
			t.Errorf("shows the secret: %s", text)
		}
	}
	for _, line := range []string{"ADMIN_TOKEN=(hidden) # flag --admin-token\n", "DATABASE_PASSWORD=(hidden) # flag"} {
		if !strings.Contains(squeeze(cfg.String()), line) {
			t.Errorf("no line %q in\n%s", line, cfg)
		}
	}
	if text := load(t, nil).String(); !strings.Contains(squeeze(text), "ADMIN_TOKEN=(not set) # default\n") {
		t.Errorf("an unset secret is printed like a set secret:\n%s", text)
	}

	errorCases := []map[string]string{
		{"ADMIN_TOKEN": "s3cr3t"},
		{"ADMIN_TOKEN": secret + "\n"},
		{"LEGACY_URL": "http://user:s3cr3t@old.example"},
		{"LEGACY_URL": "http://user:s3cr3t\n@old.example"},
		{"LEGACY_URL": "user:s3cr3t@old.example"},
		{"API_CORS_ORIGINS": "https://user:s3cr3t@a.example"},
		{"DATABASE_HOST": "user:s3cr3t@db"},
		{"ENV_FILE": writeEnvFile(t, "ADMIN_TOKEN=s3cr3t")},
		{"ENV_FILE": writeEnvFile(t, "DATABASE_PASSWORD='s3cr3t\nDATABASE_PASSWORD=\"s3cr3t\ns3cr3t\n")},
		{"ENV_FILE": writeEnvFile(t, "DATABASE_PASSWORD='s3cr3t' s3cr3t")},
		{"ENV_FILE": writeEnvFile(t, "DATABASE_PASWORD=s3cr3t")},
	}
	for _, flags := range errorCases {
		_, err := Load(flags, environment(nil))
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: got %v, want an error without the secret", flags, err)
		}
	}
}

func TestLongValuesAreCut(t *testing.T) {
	_, err := Load(map[string]string{"LOG_LEVEL": strings.Repeat("é", 5000)}, environment(nil))
	if got := message(err); len(got) > 400 || !strings.Contains(got, `é..."`) {
		t.Errorf("got %s", got)
	}
}

// TestStringReadsBack: the output of String, read as an env file, gives the same
// configuration.
func TestStringReadsBack(t *testing.T) {
	cfg := load(t, map[string]string{
		"DATABASE_SOCKET": "", "DATABASE_USER": `o'ne \" two #3`, "DATABASE_NAME": `back\slash`, "MEMORY_LIMIT": "157286401",
		"GENERATION_POLL": "1h0m0.5s", "TRUSTED_PROXIES": "10.1.2.3, fd00::/8", "STATIC_DIR": "/srv/it's # a site", "STATE_FILE": "/var/lib/x y",
		"SOURCE": "Auto", "SOURCE_ROUTES": "/teams/=legacy,/athletes/{athlete_hnd}=store", "LEGACY_TIMEOUT": "1.5s", "LEGACY_MAX_CONNS": "7",
		"PURGE_HEADERS": `A: "{tags}"; B: 'x' # y`, "PURGE_BODY": `{"tags":[{tags_json}]}`,
		"CLIENT_LIMITS": "costly=0,quick=7", "AUTO_MAX_ERRORS": "33.3333333333", "AUTO_MAX_SLOWDOWN": "2.25", "VERIFY_SAMPLE": "0.05%",
	})
	text := strings.Replace(cfg.String(), "ENV_FILE=", "# ENV_FILE=", 1)
	for _, secret := range []string{"ADMIN_TOKEN=", "DATABASE_PASSWORD=", "SHARED_CACHE=", "PURGE_TOKEN="} {
		text = strings.Replace(text, secret, "# "+secret, 1)
	}
	again := load(t, map[string]string{"ENV_FILE": writeEnvFile(t, text)})
	again.places, cfg.places, again.EnvFile = nil, nil, ""
	if !reflect.DeepEqual(cfg, again) {
		t.Errorf("got  %v\nwant %v", again, cfg)
	}
}

func TestKeyTable(t *testing.T) {
	for i, k := range Keys() {
		if k.Usage == "" || k.Example == "" || strings.ContainsAny(k.Usage, "\n`") {
			t.Errorf("%s has no usable help", k.Name)
		}
		if k.Secret != strings.Contains(k.Name+k.Example, "TOKEN") && k.Secret != strings.Contains(k.Name, "PASSWORD") && k.Secret != (k.Name == "SHARED_CACHE") {
			t.Errorf("%s: secret is %v", k.Name, k.Secret)
		}
		if strings.ReplaceAll(strings.ToUpper(k.Flag()), "-", "_") != k.Name {
			t.Errorf("%s has the flag %s", k.Name, k.Flag())
		}
		if other, _ := keyNamed(k.Name); other.Usage != keys[i].Usage {
			t.Errorf("%s stands there twice", k.Name)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("127.0.0.1:8000", "/iz/xcri", "https://a.example", "http://127.0.0.1:8001", "64MiB", "1m30s", "127.0.0.0/8,::1", "/teams/=legacy", "5%")
	f.Add("[::1%eth0]:0", "/.a/..", "*, *", "http://u:p@h:1/%zz?#", "1.5.5GiB", "-9223372036854775808", "::ffff:1.2.3.4,fe80::1%x", "/a==auto,/b=store", "NaN")
	f.Add("unix:/run/a.sock", "/", "", "", "1MiB", "1", "", "", "1")
	f.Add(":", "//", "://", "http://[", "٣٣", "1h1h", "0.0.0.0/0, 1.2.3.4/00", "/=LEGACY, ,", "0.33333333333333%")
	f.Fuzz(func(t *testing.T, addr, base, origins, legacy, size, duration, networks, routes, share string) {
		flags := map[string]string{
			"LISTEN_ADDR": addr, "BASE_PATH": base, "API_CORS_ORIGINS": origins, "LEGACY_URL": legacy,
			"CACHE_BYTES": size, "WAIT_TIMEOUT": duration, "DATABASE_USER": addr, "LOG_LEVEL": "info",
			"TRUSTED_PROXIES": networks, "SOURCE_ROUTES": routes, "VERIFY_SAMPLE": share, "LEGACY_TIMEOUT": duration,
		}
		cfg, err := Load(flags, environment(nil))
		if err != nil {
			return
		}
		for _, k := range keys {
			if !k.Secret {
				flags[k.Name] = k.get(&cfg)
			}
		}
		again, err := Load(flags, environment(nil))
		if err != nil {
			t.Fatalf("Load refuses the printed settings: %v\n%v", err, cfg)
		}
		again.places, cfg.places = nil, nil
		if !reflect.DeepEqual(again, cfg) {
			t.Fatalf("got  %v\nwant %v", again, cfg)
		}
	})
}
