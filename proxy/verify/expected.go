package verify

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/compare"
)

// Expected is the verdict of answers that differ because the old API's answer is wrong in a
// known way. Comparison.Expected names the rule.
const Expected compare.Verdict = "expected"

// rule recognizes a known fault of the old API.
type rule struct {
	name string
	// holds reports whether the fault explains the difference between two answers.
	holds func(s *subject, ours, legacy Answer) bool
}

// faults are the rules for requests that the old API answers with an internal error.
// Source: the contract of the read API.
var faults = []rule{
	{"the old API fails on rows with a checkpoint date", func(s *subject, ours, _ Answer) bool {
		return !strings.HasPrefix(s.Route.Path(), "/snapshots/") && bytes.Contains(ours.body, []byte(`"checkpoint_date":"`))
	}},
	{"the old API fails at the summary of processing", func(s *subject, _, _ Answer) bool {
		return s.Route.Path() == "/metadata/summary/processing"
	}},
	{"the old API fails at a distribution without rows", func(s *subject, ours, _ Answer) bool {
		return s.Route.Path() == "/scs/distribution/{component}" && bytes.Contains(ours.body, []byte(`"count":0`))
	}},
	{"the old API fails on a snapshot that is no date", func(s *subject, ours, _ Answer) bool {
		if s.Route.Path() != "/snapshots/{snapshot_date}/metadata" || ours.Status != http.StatusNotFound {
			return false
		}
		_, err := time.Parse(time.DateOnly, s.Query.Args[0].Text)
		return err != nil
	}},
	{"the old API fails on numbers beyond the database's", func(s *subject, _, _ Answer) bool { return s.beyond() }},
}

// differences are the rules for two answers.
var differences = []rule{
	{"rows that tie come in no fixed order from the old API", func(s *subject, ours, legacy Answer) bool {
		return ours.Status == http.StatusOK && legacy.Status == http.StatusOK && tied(orders[s.Route.Path()], ours.body, legacy.body)
	}},
	{"the old API cuts the season from a date with spaces", func(s *subject, ours, legacy Answer) bool {
		return s.Route.Path() == "/snapshots/{snapshot_date}/metadata" && ours.Status == legacy.Status && strings.HasPrefix(s.target, "/snapshots/%20")
	}},
	{"older versions of the old API add a URL to each wrong parameter", func(_ *subject, ours, legacy Answer) bool {
		return ours.Status == http.StatusUnprocessableEntity && legacy.Status == ours.Status && sameWithoutURL(ours.body, legacy.body)
	}},
}

// expected returns the name of the rule that explains why two answers differ; empty for
// none.
func (s *subject) expected(ours, legacy Answer, verdict compare.Verdict) string {
	var rules []rule
	switch {
	case verdict == Failed && ours.err == nil && ours.Status > 0 && legacy.Status == http.StatusInternalServerError:
		rules = faults
	case verdict == compare.Different, verdict == compare.SameButOrder:
		rules = differences
	}
	for _, r := range rules {
		if r.holds(s, ours, legacy) {
			return r.name
		}
	}
	return ""
}

// beyond reports whether a limit is negative, or a limit or an offset beyond the range
// of the database's integers.
func (s *subject) beyond() bool {
	for i, a := range s.Query.Args {
		name := s.Route.Endpoint.Params[i].Name
		if !a.Given || name != "limit" && name != "offset" {
			continue
		}
		if n, err := strconv.ParseInt(a.Text, 10, 64); err != nil || n < 0 {
			return true
		}
	}
	return false
}

// orders are the columns by which the lists of each route are ordered before ties are
// broken: a|b are two columns in either order, a+b is their sum.
var orders = map[string][]string{
	"/athletes/":                               {"athlete_rank"},
	"/athletes/team/{team_hnd}/roster":         {"athlete_rank"},
	"/snapshots/{snapshot_date}/athletes":      {"rank"},
	"/teams/":                                  {"team_rank"},
	"/team-five/":                              {"team_rank"},
	"/snapshots/{snapshot_date}/teams":         {"rank"},
	"/team-knockout/":                          {"knockout_rank"},
	"/team-knockout/matchups":                  {"team_a_ko_rank|team_b_ko_rank", "race_date"},
	"/team-knockout/matchups/head-to-head":     {"race_date"},
	"/team-knockout/matchups/meet/{race_hnd}":  {"team_a_rank", "team_b_rank"},
	"/team-knockout/matchups/common-opponents": {"team_a_wins+team_b_wins"},
	"/metadata/":                               {"calculated_at"},
	"/metadata/latest":                         {"division_code", "gender_code"},
	"/scs/leaderboard/{component}":             {"component_rank"},
	"/components/leaderboard":                  {"rank"},
}

// row is one row of a list, and object an answer with a list.
type (
	row    map[string]json.RawMessage
	object map[string]json.RawMessage
)

// tied reports whether two lists differ only in the order of rows that tie, or in which
// of them the ends of the page leave out.
func tied(order []string, ours, legacy []byte) bool {
	restA, a, okA := list(ours)
	restB, b, okB := list(legacy)
	if order == nil || !okA || !okB || len(a) != len(b) || len(a) == 0 || !same(restA, restB) {
		return false
	}
	onlyA, onlyB := map[string]row{}, map[string]row{}
	for i := range a {
		if key(order, a[i]) != key(order, b[i]) {
			return false
		}
		onlyA[text(a[i])], onlyB[text(b[i])] = a[i], b[i]
	}
	for k := range onlyA {
		if onlyB[k] != nil {
			delete(onlyA, k)
			delete(onlyB, k)
		}
	}
	var ends []string // keys of rows that the page may cut
	if number(restA["offset"]) > 0 {
		ends = append(ends, key(order, a[0]))
	}
	if number(restA["total"]) > number(restA["offset"])+len(a) {
		ends = append(ends, key(order, a[len(a)-1]))
	}
	ids := map[string]bool{}
	for _, r := range onlyA {
		ids[id(r)] = true
	}
	for _, r := range onlyB {
		if ids[id(r)] { // the same row, with other values
			return false
		}
	}
	for _, rows := range []map[string]row{onlyA, onlyB} {
		for _, r := range rows {
			if !slices.Contains(ends, key(order, r)) {
				return false
			}
		}
	}
	return true
}

// id returns the value that names a row.
func id(r row) string {
	for _, column := range []string{"ranking_id", "matchup_id", "metadata_id", "component_id", "id", "anet_athlete_hnd", "anet_team_hnd", "opponent_id"} {
		if value := r[column]; value != nil {
			return string(value)
		}
	}
	return text(r)
}

// number returns a whole number; zero for anything else.
func number(v json.RawMessage) int {
	n, _ := strconv.Atoi(string(v))
	return n
}

// list splits an answer into its list and its other members.
func list(body []byte) (rest object, rows []row, ok bool) {
	if json.Unmarshal(body, &rest) != nil {
		return nil, nil, false
	}
	for _, name := range []string{"results", "matchups", "common_opponents"} {
		if json.Unmarshal(rest[name], &rows) == nil && rest[name] != nil {
			delete(rest, name)
			return rest, rows, true
		}
	}
	return nil, nil, false
}

// same reports whether two objects have equal members.
func same(a, b object) bool {
	verdict := compare.Compare([]byte(text(a)), []byte(text(b))).Verdict
	return verdict == compare.SameBytes || verdict == compare.SameJSON
}

// text returns v as JSON with its members in a fixed order.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was read as JSON
	}
	return string(b)
}

// key returns the values by which a row is ordered.
func key(order []string, r row) string {
	var key []string
	for _, columns := range order {
		var values []string
		for column := range strings.FieldsFuncSeq(columns, func(c rune) bool { return c == '|' || c == '+' }) {
			values = append(values, string(r[column]))
		}
		if strings.Contains(columns, "+") {
			sum := 0
			for _, v := range values {
				n, _ := strconv.Atoi(v)
				sum += n
			}
			values = []string{strconv.Itoa(sum)}
		}
		slices.Sort(values)
		key = append(key, values...)
	}
	return strings.Join(key, "\x00")
}

// sameWithoutURL reports whether two lists of wrong parameters are equal except for the
// member url of the second.
func sameWithoutURL(ours, legacy []byte) bool {
	var answer struct {
		Detail []object `json:"detail"`
	}
	if json.Unmarshal(legacy, &answer) != nil {
		return false
	}
	for _, item := range answer.Detail {
		delete(item, "url")
	}
	verdict := compare.Compare(ours, []byte(text(answer))).Verdict
	return verdict == compare.SameBytes || verdict == compare.SameJSON
}
