package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The expected values are the values that python-dotenv 1.2 reads.
func TestEnvFileSyntax(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "A=b", "A=b"},
		{"spaces around", "  A \t=  b c \t\n", "A=b c"},
		{"export", "export  A=b", "A=b"},
		{"empty", "A=\nB=''\nC=\"\"", "A=|B=|C="},
		{"comment lines and empty lines", "# x=y\n\n  # z\nA=b", "A=b"},
		{"comment behind", "A=b # c", "A=b"},
		{"comment behind a tab", "A=b\t#c # d", "A=b"},
		{"# without a space belongs to the value", "A=p#ss#", "A=p#ss#"},
		{"# as the value", "A= # c", "A=# c"},
		{"only $ signs", "A=$HOME$$1$", "A=$HOME$$1$"},
		{"equal signs in the value", "A==b=c", "A==b=c"},
		{"quotes inside", `A=b'c"d`, `A=b'c"d`},
		{"no escapes without quotes", `A=a\nb\\`, `A=a\nb\\`},
		{"single quotes", `A='b # c'`, "A=b # c"},
		{"single quotes escape two characters", `A='a\\b\'c\n\"'`, `A=a\b'c\n\"`},
		{"double quotes", `A="b # 'c'" # d`, "A=b # 'c'"},
		{"double quotes escape more", `A="\\\'\"\a\b\f\n\r\t\v\x\$"`, "A=\\'\"\a\b\f\n\r\t\v\\x\\$"},
		{"double backslash before n", `A="a\\nb"`, `A=a\nb`},
		{"comment right behind a quote", "A='b'#c\nB=d", "A=b|B=d"},
		{"quotes over lines", "A='b\nc'\nB=\"d\r\ne\"\n", "A=b\nc|B=d\ne"},
		{"a backslash before the last quote", `A='b\'`, `A=b\`},
		{"quoted name", "'A'=b", "A=b"},
		{"CRLF and CR", "A=b\r\nB=c\rC=d", "A=b|B=c|C=d"},
		{"duplicates", "A=b\nA=c", "A=b|A=c"},
		{"odd spaces", "A\u00a0=\u2003b\u00a0#c", "A=b"},
		{"variable of the file", "A=b\nB=${A}c${A}", "A=b|B=bcb"},
		{"variable of the environment", "B=${OUTSIDE}", "B=outside"},
		{"the file goes before the environment", "OUTSIDE=in\nB=${OUTSIDE}", "OUTSIDE=in|B=in"},
		{"variable not set", "B=a${NONE}b", "B=ab"},
		{"default of a variable", "A=\nB=${NONE:-x y}${NONE:-}${A:-z}", "A=|B=x y"},
		{"later values do not count", "B=${A}\nA=b", "B=|A=b"},
		{"variables in quotes", "A=b\nB='${A}'\nC=\"${A}\"", "A=b|B=b|C=b"},
		{"values are not expanded twice", "A='$'\nB=${A}{A}", "A=$|B=${A}"},
		{"not quite variables", "A=${B\nC=${D:x}$(E)", "A=${B|C=${D:x}$(E)"},
		{"names of variables keep their case", "a=b\nB=${A}${a}", "a=b|B=b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, a := range parseEnvFile(tt.text, environment(map[string]string{"OUTSIDE": "outside"})) {
				if a.err != nil {
					t.Fatalf("line %d: %v", a.line, a.err)
				}
				got = append(got, a.name+"="+a.value)
			}
			if got := strings.Join(got, "|"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEnvFileProblems(t *testing.T) {
	const notKeyValue = "must be KEY=value, a comment or empty"
	tests := []struct {
		name, text string
		want       []string
	}{
		{"no equal sign", "\n\nLOG_LEVEL\n", []string{"3: " + notKeyValue}},
		{"no name", "=x", []string{"1: " + notKeyValue}},
		{"space in the name", "LOG LEVEL=info", []string{"1: " + notKeyValue}},
		{"comment in the name", "LOG#LEVEL=info", []string{"1: " + notKeyValue}},
		{"colon", "LOG_LEVEL: info", []string{"1: " + notKeyValue}},
		{"open quote", "DEBUG='x\nLOG_LEVEL=info\n", []string{"1: DEBUG has an opening quote but no closing one"}},
		{"open double quote", "DEBUG=\"x", []string{"1: DEBUG has an opening quote but no closing one"}},
		{"text behind a quote", "DEBUG='x\ny' z\nLOG_LEVEL=info", []string{"1: DEBUG has text after its closing quote"}},
		{"lines are counted over quotes", "DEBUG='a\r\nb'\r\n\r\nHOST=x\r\n", []string{"4: unknown key HOST"}},
		{"several", "x\nDEBUG=1\ny\n", []string{"1: " + notKeyValue, "3: " + notKeyValue}},
		{"unknown key", "DATABASE_HOTS=x", []string{"1: unknown key DATABASE_HOTS, did you mean DATABASE_HOST?"}},
		{"unknown key in lower case", "database_pass=x", []string{"1: unknown key DATABASE_PASS, did you mean DATABASE_PASSWORD?"}},
		{"unknown key like none", "PYTHONPATH=x", []string{"1: unknown key PYTHONPATH"}},
		{"near miss with a prefix of the old API", "API_CORS_ORIGIN=*", []string{"1: unknown key API_CORS_ORIGIN, did you mean API_CORS_ORIGINS?"}},
		{"itself", "ENV_FILE=x", []string{"1: ENV_FILE cannot be set in the env file itself"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeEnvFile(t, tt.text)
			_, err := Load(map[string]string{"ENV_FILE": path}, environment(nil))
			if got, want := message(err), path+":"+strings.Join(tt.want, "\n"+path+":"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestEnvFileOfTheOldAPI: an env file of the old API is accepted.
func TestEnvFileOfTheOldAPI(t *testing.T) {
	path := writeEnvFile(t, "\ufeff"+`# Database
DATABASE_HOST=localhost
DATABASE_PORT=3306
DATABASE_NAME=web4ustfccca_iz
DATABASE_USER=web4ustfccca_public
DATABASE_PASSWORD=12x$Yz#3*f
DATABASE_POOL_SIZE=5

API_TITLE=XCRI Rankings API
API_DESCRIPTION="Rankings, with 'quotes'"
API_VERSION=2.0.0
API_HOST=0.0.0.0
API_PORT=8001
API_RELOAD=false
API_CORS_ORIGINS=*  # or a list
log_level=warning
DEBUG=false
ENVIRONMENT=production
SNAPSHOT_DIR=/srv/exports
DEFAULT_SEASON_YEAR=2025
DEFAULT_LIMIT=100
MAX_LIMIT=50000
GITHUB_TOKEN=abc
GITHUB_REPO=a/b
GITHUB_LABELS=feedback
FEEDBACK_TO=someone@example.org
`)
	cfg := load(t, map[string]string{"ENV_FILE": path})
	if cfg.Database.Password != "12x$Yz#3*f" || show(cfg.LogLevel) != "WARN" || !slices.Equal(cfg.CORSOrigins, []string{"*"}) {
		t.Errorf("got %v with the password %q", cfg, string(cfg.Database.Password))
	}
}

func TestEnvFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	large, latin1 := filepath.Join(dir, "large"), filepath.Join(dir, "latin1")
	if err := os.WriteFile(large, make([]byte, maxEnvFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(latin1, []byte("DEBUG=caf\xe9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:    "read " + dir + ": is a directory",
		large:  "must be a file of at most 1 MB",
		latin1: "must be a file in UTF-8",
	} {
		_, err := Load(nil, environment(map[string]string{"ENV_FILE": path}))
		if got, want := message(err), `ENV_FILE="`+path+`" (environment): `+want; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func FuzzParseEnvFile(f *testing.F) {
	f.Add("export A='b\\'c' # d\r\nB=\"${A:-x}\\n\"\nC=a #b\n'D'=e\nF")
	f.Add("A='b\\'\nB=\"c\n=\n${}\u2028=\x1c#")
	f.Fuzz(func(t *testing.T, text string) {
		lines := 1 + strings.Count(newlines.Replace(text), "\n")
		last := 0
		for _, a := range parseEnvFile(text, environment(nil)) {
			if a.line <= last || a.line > lines {
				t.Fatalf("line %d behind line %d of %d", a.line, last, lines)
			}
			last = a.line
			if a.err != nil || strings.Contains(a.value, "${") || strings.HasSuffix(a.value, `\`) || strings.Contains(a.value, "\r") {
				continue // such a value cannot be written in this syntax
			}
			again := parseEnvFile("X="+quoteForFile(a.value)+" # y", environment(nil))
			if len(again) != 1 || again[0].err != nil || again[0].value != a.value {
				t.Fatalf("%q reads back as %+v", a.value, again)
			}
		}
	})
}
