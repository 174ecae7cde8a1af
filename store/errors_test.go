package store

import (
	"errors"
	"strings"
	"testing"
)

var sentinels = []error{ErrUnavailable, ErrTimeout, ErrSetup}

// TestServerErrors provokes errors of each class on a real server.
func TestServerErrors(t *testing.T) {
	opts := account(t)
	db := root(t, "")
	s := open(t, opts)
	for text, want := range map[string]error{
		"SELECT nothing FROM " + athleteTable: ErrSetup,
		"SELECT 1 FROM nowhere":               ErrSetup,
		"SELECT 1 FROM mysql.user":            ErrSetup,
		"SELECT (SELECT 1 UNION SELECT 2)":    nil,
		"nonsense":                            nil,
	} {
		_, err := s.Run(t.Context(), statement(text))
		if err == nil {
			t.Errorf("%s: no error", text)
		}
		for _, sentinel := range sentinels {
			if errors.Is(err, sentinel) != (sentinel == want) {
				t.Errorf("%s: %v, want %v", text, err, want)
			}
		}
	}
	execute(t, db, "ALTER USER "+opts.User+"@'%' WITH MAX_USER_CONNECTIONS 1")
	held := open(t, opts)
	fill(t, held, 1)
	s = open(t, opts)
	if _, err := s.Run(t.Context(), statement("SELECT 1")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("one connection too many: %v", err)
	}
}

// TestPasswordIsSecret: no error holds the password.
func TestPasswordIsSecret(t *testing.T) {
	const password = "hunter2 & more"
	good := options(t)
	for name, change := range map[string]func(*Options){
		"wrong password": func(*Options) {},
		"no such user":   func(o *Options) { o.User = "nobody" },
		"no listener":    func(o *Options) { o.Port = 1 },
		"no such host":   func(o *Options) { o.Host = "nowhere.invalid" },
		"no such socket": func(o *Options) { o.Socket = "/nowhere.sock" },
		"odd host":       func(o *Options) { o.Host = "a host\x00" },
		"odd port":       func(o *Options) { o.Port = 99999 },
	} {
		opts := good
		opts.Password = password
		change(&opts)
		s, err := Open(opts)
		if err == nil {
			defer s.Close()
			_, run := s.Run(t.Context(), query(t, "/health", nil))
			err = errors.Join(s.Check(t.Context()), s.Ping(t.Context()), run)
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
