package route

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lewistv/xcri-proxy/store"
)

var testRouter = NewRouter(store.Endpoints(), "/iz/xcri")

// keyOf returns the key of a target, or the errors of its parameters.
func keyOf(t testing.TB, target string) (key string, problems string) {
	t.Helper()
	m := testRouter.Match(SplitTarget([]byte(target)))
	if m == nil {
		t.Fatalf("%s: no route", target)
	}
	defer m.Release()
	if key := m.Key(); key != nil {
		return string(key), ""
	}
	return "", string(m.Refusal())
}

// TestSameMeaning: requests that mean the same have one key, and that key is a
// request that means the same too.
func TestSameMeaning(t *testing.T) {
	for key, same := range map[string][]string{
		"/athletes/?season_year=2025&division=2030&gender=M&limit=50000": {
			"/athletes/?season_year=2025&division=2030&gender=M&limit=50000&offset=0",
			"/athletes?limit=50000&gender=m&division=2030&season_year=2025",
			"/athletes/?season_year=2025&division=2030&gender=M&scoring_group=division&algorithm_type=light&limit=50000",
			"/athletes/?season_year=2025&division=2030&gender=M&limit=50000&_=123&utm_source=x&&=&=5",
			"/athletes/?season_year=1999&season_year=2025&division=2030&gender=F&gender=M&limit=5&limit=50000",
			"/athletes/?season_year=%202025+&division=2_030&gender=%4D&limit=+50000.0",
			"/athletes/?season%5Fyear=2025&division=002030&gender=M&limit=50000&checkpoint_date=&region=&conference=",
		},
		"/teams/": {"/teams", "/teams?", "/teams/?division=0", "/teams/?season_year=2024&limit=100&offset=-0", "/teams/?division=00.0"},
		"/team-five/?checkpoint_date=2025-10-05": {
			"/team-five?checkpoint_date=2025-10-5", "/team-five/?checkpoint_date=20251005", "/team-five/?checkpoint_date=2025/10/05",
		},
		"/team-five/?checkpoint_date=-": {"/team-five/?checkpoint_date=never", "/team-five/?checkpoint_date=2025-13-45"},
		"/athletes/5":                   {"/athletes/05", "/athletes/%2B5/", "/athletes/5.0?season_year=2024"},
		"/scs/leaderboard/saga":         {"/scs/leaderboard/SAGA/", "/scs/leaderboard/Saga?division=2030&gender=M&limit=25"},
		"/teams/?search=St%20Mary%C3%B1": {
			"/teams/?search=St+Mary%c3%b1", "/teams/?search=St%20Mary\u00f1",
		},
		"/metadata/": {"/metadata", "/metadata?season_year=2024"},
	} {
		for _, target := range append(same, key) {
			if got, problems := keyOf(t, target); got != key {
				t.Errorf("%s: key %s, want %s %s", target, got, key, problems)
			}
		}
	}
}

// TestOtherMeaning: requests with different meanings have different keys.
func TestOtherMeaning(t *testing.T) {
	seen := map[string]string{}
	for _, target := range []string{
		"/athletes/", "/teams/", "/team-five/", "/team-knockout/", "/athletes/?division=1", "/athletes/?limit=1",
		"/athletes/?offset=1", "/athletes/?search=ab", "/athletes/?search=AB", "/athletes/?search=a%26b%3Dc", "/athletes/?region=ab",
		"/athletes/?checkpoint_date=2025-10-20", "/athletes/?gender=M", "/athletes/?gender=F", "/athletes/?min_races=1",
		"/athletes/?scoring_group=", "/athletes/?algorithm_type=heavy", "/athletes/1", "/athletes/-1", "/athletes/team/1/roster",
		"/metadata/", "/metadata/?division=0", "/metadata/?scoring_group=", "/metadata/?checkpoint_date=",
		"/teams/1/resume", "/teams/1/resume?gender=m", "/teams/1/resume?gender=M", "/teams/1/resume?division=0",
		"/scs/leaderboard/saga?gender=m", "/scs/leaderboard/saga?gender=", "/scs/leaderboard/nope",
		"/snapshots/2025-10-20/metadata", "/snapshots/2025-10-2/metadata", "/snapshots/20251020/metadata",
		"/athletes/?season_year=99999999999999999999", "/athletes/?season_year=99999999999999999998",
	} {
		key, problems := keyOf(t, target)
		if problems != "" {
			t.Errorf("%s: %s", target, problems)
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s share %s", target, other, key)
		}
		seen[key] = target
	}
}

func TestProblems(t *testing.T) {
	for target, want := range map[string]string{
		"/athletes/x?limit=y": `{"detail":[{"type":"int_parsing","loc":["path","athlete_hnd"],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"x"}]}`,
		"/athletes/?limit=0&offset=-1&division=q": `{"detail":[` +
			`{"type":"int_parsing","loc":["query","division"],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"q"},` +
			`{"type":"greater_than_equal","loc":["query","limit"],"msg":"Input should be greater than or equal to 1","input":"0","ctx":{"ge":1}},` +
			`{"type":"greater_than_equal","loc":["query","offset"],"msg":"Input should be greater than or equal to 0","input":"-1","ctx":{"ge":0}}]}`,
		"/athletes/?limit=50001":                 `{"detail":[{"type":"less_than_equal","loc":["query","limit"],"msg":"Input should be less than or equal to 50000","input":"50001","ctx":{"le":50000}}]}`,
		"/athletes/?search=%F0%9F%8F%83":         `{"detail":[{"type":"string_too_short","loc":["query","search"],"msg":"String should have at least 2 characters","input":"🏃","ctx":{"min_length":2}}]}`,
		"/athletes/?search=%E2%82":               `{"detail":[{"type":"string_too_short","loc":["query","search"],"msg":"String should have at least 2 characters","input":"` + "\ufffd" + `","ctx":{"min_length":2}}]}`,
		"/athletes/?search":                      `{"detail":[{"type":"string_too_short","loc":["query","search"],"msg":"String should have at least 2 characters","input":"","ctx":{"min_length":2}}]}`,
		"/athletes/?search=":                     `{"detail":[{"type":"string_too_short","loc":["query","search"],"msg":"String should have at least 2 characters","input":"","ctx":{"min_length":2}}]}`,
		"/athletes/?gender=MF":                   `{"detail":[{"type":"string_pattern_mismatch","loc":["query","gender"],"msg":"String should match pattern '^[MFmf]$'","input":"MF","ctx":{"pattern":"^[MFmf]$"}}]}`,
		"/team-knockout/?rank_group_type=d":      `{"detail":[{"type":"string_pattern_mismatch","loc":["query","rank_group_type"],"msg":"String should match pattern '^[DRC]$'","input":"d","ctx":{"pattern":"^[DRC]$"}}]}`,
		"/athletes/?gender=%22%5C%0A%01":         `{"detail":[{"type":"string_pattern_mismatch","loc":["query","gender"],"msg":"String should match pattern '^[MFmf]$'","input":"\"\\\n\u0001","ctx":{"pattern":"^[MFmf]$"}}]}`,
		"/team-knockout/matchups":                `{"detail":[{"type":"missing","loc":["query","team_id"],"msg":"Field required","input":null}]}`,
		"/snapshots/x/athletes?division=a":       `{"detail":[{"type":"int_parsing","loc":["query","division"],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"a"},{"type":"missing","loc":["query","gender"],"msg":"Field required","input":null}]}`,
		"/scs/leaderboard/nope?limit=101":        `{"detail":[{"type":"less_than_equal","loc":["query","limit"],"msg":"Input should be less than or equal to 100","input":"101","ctx":{"le":100}}]}`,
		"/athletes/?limit=5&limit=six":           `{"detail":[{"type":"int_parsing","loc":["query","limit"],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"six"}]}`,
		"/team-five/?season_year=1.0e1":          `{"detail":[{"type":"int_parsing","loc":["query","season_year"],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"1.0e1"}]}`,
		"/metadata/" + strings.Repeat("9", 4301): `{"detail":[{"type":"int_parsing_size","loc":["path","metadata_id"],"msg":"Unable to parse input string as an integer, exceeded maximum size","input":"` + strings.Repeat("9", 4301) + `"}]}`,
	} {
		key, problems := keyOf(t, target)
		if problems != want {
			t.Errorf("%.80s: %s%s\nwant %s", target, key, problems, want)
		}
		if !json.Valid([]byte(problems)) {
			t.Errorf("%.80s: not JSON", target)
		}
	}
}

func TestDecode(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a+b": "a b", "%41%zz%4": "A%zz%4", "%": "%", "%%41": "%A", "%c3%b1": "ñ", "\xff": "\ufffd", "%ff%fe": "\ufffd\ufffd",
		"%e2%82": "\ufffd", "%e2%82%ac": "€", "%e2%28%a1": "\ufffd(\ufffd", "%f0%9f%8f": "\ufffd", "%f0%80%80": "\ufffd\ufffd\ufffd",
		"%2b": "+", "%41%": "A%", "%4": "%4", "%g1%1g": "%g1%1g", "%/0%:0%@0%G0": "%/0%:0%@0%G0", "%aF%Af%c3%B1": "\ufffd\ufffdñ", "a%ffb": "a\ufffdb", "\xef\xbf\xbd%ff": "\ufffd\ufffd",
		"%ed%a0%80": "\ufffd\ufffd\ufffd", "%00": "\x00", "%c3": "\ufffd",
		"\x80": "\ufffd", "%e2%82(": "\ufffd(", "%f0%9f%8f%f0%9f%8f%83": "\ufffd🏃", "%\x11\x19%1\x10": "%\x11\x19%1\x10",
	} {
		m := &Match{}
		m.reserve(len(in))
		if got := string(m.decode([]byte(in), true)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestDecodeNeedsNoMemory: text without an encoding is not copied, all other text has
// room in the memory that was reserved, and no value is nil.
func TestDecodeNeedsNoMemory(t *testing.T) {
	m, plain, worst := &Match{}, []byte("/athletes-7.x"), bytes.Repeat([]byte{0xff}, 1000)
	m.reserve(3 * len(worst))
	reserved := &m.scratch[:1][0]
	if got := m.decode(plain, true); &got[0] != &plain[0] || len(got) != len(plain) {
		t.Errorf("%q is a copy", got)
	}
	for range 2 { // the second time it is reused
		m.reserve(3 * len(worst))
		first := m.decode(worst, true)
		for range 2 {
			if got := m.decode(worst, true); string(got) != strings.Repeat("\ufffd", len(worst)) {
				t.Errorf("%q", got)
			}
		}
		if &m.scratch[0] != reserved || &first[0] != &m.scratch[len(worst)] {
			t.Error("the values have moved")
		}
	}
	if m.decode(nil, true) == nil {
		t.Error("no text is nil")
	}
	m = NewRouter(store.Endpoints(), "").Match([]byte("/teams/"), worst)
	if most := 4 * (len("/teams/") + len(worst)); cap(m.scratch) < most {
		t.Errorf("%d bytes are reserved, want %d", cap(m.scratch), most)
	}
}

// FuzzQuery: any target gives no route, a list of errors that is JSON, or a key that means
// itself; and the key does not depend on other parameters or their order.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"/athletes/?season_year=2025&division=2030&gender=m&limit=50000", "/teams/5/resume?gender=f&division=0", "/scs/leaderboard/Saga?gender=",
		"/snapshots/2025-10-20/metadata", "/team-knockout/matchups?team_id=1_0", "/athletes/%2e%2e", "/athletes/?search=%e2%82&region=+",
		"http://h/teams?x", "/athletes/?limit=%00", "/components/leaderboard?component=saga&offset=9999999999999999999999999", "*", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		at := testRouter.Locate([]byte(target))
		m := testRouter.Match(at.Path, at.Query)
		if m == nil {
			return
		}
		defer m.Release()
		key := string(m.Key())
		if key == "" {
			if body := m.Refusal(); !json.Valid(body) || !utf8.Valid(body) {
				t.Fatalf("errors of %q: %s", target, body)
			}
			return
		}
		again, problems := keyOf(t, key)
		if again != key {
			t.Fatalf("%q: key %q means %q %s", target, key, again, problems)
		}
		if _, err := testRouter.Question(key); err != nil {
			t.Fatalf("%q: %v", target, err)
		}
		separator := "?"
		if strings.Contains(key, "?") {
			separator = "&"
		}
		if noisy, _ := keyOf(t, key+separator+"unknown=1&="); noisy != key {
			t.Fatalf("an unknown parameter makes %q of %q", noisy, key)
		}
	})
}

// FuzzMeaning: two values of a parameter share a key exactly if the API reads
// them as the same.
func FuzzMeaning(f *testing.F) {
	f.Add("5", "05")
	f.Add(" 5", "+5.0")
	f.Add("2025-10-20", "20251020")
	f.Add("M", "m")
	f.Add("", "0")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, name := range []string{"division", "limit", "gender", "checkpoint_date", "search", "region", "scoring_group"} {
			one, _ := keyOf(t, "/athletes/?"+name+"="+url.QueryEscape(a))
			two, _ := keyOf(t, "/athletes/?"+name+"="+url.QueryEscape(b))
			if one == "" || two == "" {
				continue
			}
			p, _ := testRouter.Question(one)
			q, _ := testRouter.Question(two)
			if same := p.Query.Arg(name) == q.Query.Arg(name); same != (one == two) {
				t.Fatalf("%s %q and %q: same %v, keys %q and %q", name, a, b, same, one, two)
			}
		}
	})
}

func TestQuestionRefusesOtherKeys(t *testing.T) {
	for _, key := range []string{"", "/", "/nowhere", "/athletes/?limit=x", "/team-knockout/matchups"} {
		if _, err := testRouter.Question(key); err == nil {
			t.Errorf("%q is taken for a key", key)
		}
	}
	asked, err := testRouter.Question("/athletes/?limit=7&search=a%26b")
	if q := asked.Query; err != nil || q.Int("limit") != 7 || q.Arg("search").Text != "a&b" || q.Arg("season_year").Text != "2024" || q.Arg("region").Given {
		t.Errorf("%+v %v", q.Args, err)
	}
}

func TestAppendEscaped(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	escaped := string(appendEscaped(nil, all))
	back, err := url.QueryUnescape(escaped)
	const unreserved = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
	for c := range 256 {
		if plain := string(appendEscaped(nil, []byte{byte(c)})) == string(rune(c)); plain != strings.ContainsRune(unreserved, rune(c)) {
			t.Errorf("%q stands for itself: %t", rune(c), plain)
		}
	}
	if err != nil || !bytes.Equal([]byte(back), all) || strings.ContainsAny(escaped, " &=?#/+") {
		t.Errorf("%s: %v", escaped, err)
	}
}
