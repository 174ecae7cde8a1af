package address

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	database = regexp.MustCompile(`^(/[0-9]{1,5})?$`)

	errShared = errors.New("must be redis://host:port, rediss://host:port or unix:///path, perhaps with user:password@ in percent-encoding, and with /number of a database after the port")
)

// The parameters of the URL of a shared cache.
const (
	others           = "addr"       // another node of a cluster, or another Sentinel
	master           = "master_set" // the name that Sentinels have for the servers
	sentinelUser     = "sentinel_username"
	sentinelPassword = "sentinel_password"
)

// CheckShared returns an error unless text is the URL of a Redis or Valkey: of one server,
// of several nodes of a cluster, or of Sentinels. The error repeats no secret.
func CheckShared(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Fragment != "" {
		return errShared
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errShared
	}
	switch {
	case u.Scheme == "unix" && u.Host == "" && len(u.Path) > 1:
		if len(q) > 0 {
			return errors.New("must be unix:///path without parameters: a socket has one server")
		}
		return nil
	case (u.Scheme == "redis" || u.Scheme == "rediss") && IsOrigin(u.Scheme+"://"+u.Host) && database.MatchString(u.Path):
		return checkServers(u, q)
	}
	return errShared
}

func checkServers(u *url.URL, q url.Values) error {
	known := []string{others, master, sentinelUser, sentinelPassword}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("must have no other parameters than %s", strings.Join(known, ", "))
		case name != others && len(q[name]) > 1:
			return fmt.Errorf("must have %s once", name)
		}
	}
	for _, host := range q[others] {
		if !IsOrigin("redis://" + host) {
			return errors.New("must have addr=host:port for each other server, without user and password")
		}
	}
	switch {
	case q.Has(master) && q.Get(master) == "":
		return errors.New("must have the name that the Sentinels have for the servers, such as master_set=mymaster")
	case !q.Has(master) && (q.Has(sentinelUser) || q.Has(sentinelPassword)):
		return fmt.Errorf("must have master_set=name, too, with %s or %s", sentinelUser, sentinelPassword)
	case !q.Has(master) && q.Has(others) && strings.Trim(u.Path, "/0") != "":
		return errors.New("must have no number of a database, which a cluster does not have, or master_set=name for Sentinels")
	}
	return nil
}
