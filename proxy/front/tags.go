// Package front names the tags of answers for the caches in front of the proxy, such as
// Varnish or a CDN, and purges outdated answers there by tag.
package front

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/store"
)

// All is the tag of every answer.
const All = "xcri"

// minuteTag precedes the minute in the tag of the time at which an answer was filled.
const minuteTag = "xcri:minute:"

// Route returns the tag of the answers of a route. A parameter of the path has a colon
// instead of braces.
func Route(path string) string {
	return "xcri:route:" + plain(strings.NewReplacer("{", ":", "}", "").Replace(path))
}

// Table returns the tag of the answers that are read from a table.
func Table(name string) string { return "xcri:table:" + plain(name) }

// Scope returns the tag of the answers of a scope.
func Scope(s store.Scope) string { return "xcri:scope:" + plain(s.String()) }

// Key returns the tag of the answer of a single key.
func Key(key string) string {
	sum := fnv.New64a()
	sum.Write([]byte(key))
	return fmt.Sprintf("xcri:key:%016x", sum.Sum64())
}

// Names returns the tags of the answers of a key, separated by spaces, as far as they do
// not depend on the fill. AppendMinute adds the tag that does.
func Names(path string, tables []string, s store.Scope, key string) []byte {
	names := []string{All, Route(path)}
	for _, table := range tables {
		names = append(names, Table(table))
	}
	return []byte(strings.Join(append(names, Scope(s), Key(key)), " "))
}

// AppendMinute appends the separator and the tag of the time at which an answer was filled.
func AppendMinute(to []byte, separator string, filled time.Time) []byte {
	return strconv.AppendInt(append(append(to, separator...), minuteTag...), filled.Unix()/60, 10)
}

// Separated returns Names with another separator.
func Separated(names []byte, separator string) []byte {
	return bytes.ReplaceAll(names, []byte(" "), []byte(separator))
}

// plain escapes the characters of a tag that separate tags, or may not be in a header.
// A client chooses a part of the text.
func plain(text string) string {
	safe := func(b byte) bool {
		return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("/*-_.:~", b) >= 0
	}
	var out strings.Builder
	for _, b := range []byte(text) {
		if safe(b) {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

// maxMinutes limits the tags of a window of time. A longer window is purged by its table.
const maxMinutes = 120

// Window returns the tags of the answers that were filled from one time to another. It
// returns false for a window that is too long.
func Window(from, to time.Time) ([]string, bool) {
	first, last := from.Unix()/60, to.Unix()/60
	if from.IsZero() || last-first >= maxMinutes {
		return nil, false
	}
	var tags []string
	for minute := first; minute <= last; minute++ {
		tags = append(tags, minuteTag+strconv.FormatInt(minute, 10))
	}
	return tags, true
}

// Scopes returns the tags of all answers that depend on one of the scopes. An answer may
// depend on many scopes, such as a list of all seasons, and has one tag, so that the tags
// of all scopes which cover a changed scope are needed. It returns false if a scope is
// itself a set, whose answers can't be listed.
func Scopes(changed []store.Scope) ([]string, bool) {
	var tags []string
	for _, s := range changed {
		if s.Season == "" || s.Division == "" || s.Gender == "" || s.Checkpoint == "" || s.Checkpoint == store.Dated {
			return nil, false
		}
		checkpoints := []string{s.Checkpoint, ""}
		if s.Checkpoint != store.Live {
			checkpoints = append(checkpoints, store.Dated)
		}
		for _, season := range []string{s.Season, ""} {
			for _, division := range []string{s.Division, ""} {
				for _, gender := range []string{s.Gender, ""} {
					for _, checkpoint := range checkpoints {
						tags = append(tags, Scope(store.Scope{Season: season, Division: division, Gender: gender, Checkpoint: checkpoint}))
					}
				}
			}
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags), true
}
