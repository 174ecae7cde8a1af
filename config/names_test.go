package config

import "testing"

func TestMisspeltEnvironment(t *testing.T) {
	innocent := []string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "SHLVL", "TERM", "COLORTERM", "LANG", "LC_ALL", "TZ", "TMPDIR",
		"EDITOR", "PAGER", "HOSTNAME", "HOST", "PORT", "MAIL", "DISPLAY", "SSH_AUTH_SOCK", "SSH_CONNECTION", "XDG_RUNTIME_DIR",
		"INVOCATION_ID", "JOURNAL_STREAM", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC",
		"CACHE_DIRECTORY", "LOGS_DIRECTORY", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
		"DATABASE_URL", "DATABASE_URI", "DATABASE_DSN", "DATABASE_TYPE", "DATABASE_POOL", "DATABASE_POOL_SIZE", "DATABASE_TEST",
		"DATABASE_FILE", "DATABASE_PATH", "DATABASE_MODE", "DATABASE_SECRET", "DATABASE_SCHEMA", "DATABASE_ENGINE", "DATABASE_DRIVER",
		"DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "MYSQL_HOST", "MYSQL_PASSWORD", "REDIS_URL",
		"CACHE_DIR", "CACHE_URL", "CACHE_TTL", "CACHE_SIZE", "CACHE_PATH", "CACHE_DRIVER", "CACHE_PREFIX", "CACHE_ENABLED", "CACHE_MAX_SIZE",
		"CACHE_STORE", "CACHE_HOST", "CACHE_TYPE", "LOG_LEVEL", "LOG_FILE", "LOG_DIR", "LOG_PATH", "LOG_FORMAT", "LOG_CHANNEL", "LOGLEVEL",
		"BASE_URL", "BASE_DIR", "BASE_HREF", "BASH_ENV", "API_URL", "API_KEY", "API_TOKEN", "API_HOST", "API_PORT", "API_CORS_HEADERS",
		"ADMIN_USER", "ADMIN_EMAIL", "ADMIN_PASSWORD", "ENV", "ENV_NAME", "ENVIRONMENT", "NODE_ENV", "DEBUG", "MEMORY_MAX", "MEMORY_SIZE",
		"WAIT_HOSTS", "WAIT_TIME", "SHUTDOWN_GRACE", "LEGACY_MODE", "FILL", "TIMEOUT", "HTTP_PROXY", "http_proxy", "NO_PROXY", "GOMAXPROCS",
		"GOMEMLIMIT", "GITHUB_TOKEN", "GITHUB_ACTIONS", "GITHUB_REF", "CI", "PYTHONPATH", "VIRTUAL_ENV", "_", "",
		"database_hostt", "MY_DATABASE_HOSTT",
	}
	for _, k := range keys {
		innocent = append(innocent, k.Name)
	}
	if problems := misspelt(innocent); len(problems) > 0 {
		t.Errorf("innocent names are refused: %v", problems)
	}

	for name, key := range map[string]string{
		"DATABASE_HSOT":                "DATABASE_HOST",
		"DATABSE_HOST":                 "DATABASE_HOST",
		"LSTEN_ADDR":                   "LISTEN_ADDR",
		"DATABASE_HOSTS":               "DATABASE_HOST",
		"DATABASE_PASWORD":             "DATABASE_PASSWORD",
		"DATABASE_PASSWD":              "DATABASE_PASSWORD",
		"DATABASE_MAXCONNS":            "DATABASE_MAX_CONNS",
		"CACHE_BYTE":                   "CACHE_BYTES",
		"CACHE_STALE_WHILE_REVALIDTAE": "CACHE_STALE_WHILE_REVALIDATE",
		"LOG_LEVLE":                    "LOG_LEVEL",
		"ENV_FILES":                    "ENV_FILE",
		"WAIT_TIMOUT":                  "WAIT_TIMEOUT",
		"LISTEN_ADR":                   "LISTEN_ADDR",
		"API_CORS_ORIGIN":              "API_CORS_ORIGINS",
	} {
		problems := misspelt([]string{name})
		if want := "unknown key " + name + ", did you mean " + key + "? (environment)"; len(problems) != 1 || problems[0].Error() != want {
			t.Errorf("%s: got %v, want %s", name, problems, want)
		}
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"LISTEN_ADDRESS": "LISTEN_ADDR",
		"DATABASE_PASS":  "DATABASE_PASSWORD",
		"CACHE_BYTE":     "CACHE_BYTES",
		"CORS_ORIGINS":   "API_CORS_ORIGINS",
		"TIMEOUT":        "",
		"":               "",
	} {
		if got := nearestKey(name); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1},
		{"abc", "abd", 1}, {"abc", "ab", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 1},
	}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
