package readapi_test

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// reordered lists recorded lists whose order nothing determines; only their lengths
// can be compared.
var reordered = map[string]bool{
	"/athletes/?limit=10.0":                                true,
	"/athletes/?season_year=2025&limit=100":                true,
	"/athletes/?gender=F":                                  true,
	"/teams/?division=0&season_year=2025&gender=M&limit=1": true,
}

// TestRecorded: every recorded question that reaches the store gets the recorded
// answer, byte for byte.
func TestRecorded(t *testing.T) {
	s := open(t, options(t))
	answers, err := storetest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	generation, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, want := range answers {
		e, given := routed(t, want.Request)
		if e == nil {
			continue
		}
		q, problem := scratch.Question(e, given)
		if (problem != param.OK) != (want.Status == 422) {
			t.Errorf("%s: problem %d, recorded status %d", want.Request, problem, want.Status)
		}
		if problem != param.OK || want.StatusOnly {
			continue
		}
		asked++
		got, err := s.Run(t.Context(), q)
		if err != nil {
			t.Errorf("%s: %v", want.Request, err)
			continue
		}
		if want := generation.Of(q.Scope()); got.Generation != want && (got.Generation != "" || got.Status < 400 || got.Status == 404) {
			t.Errorf("%s: generation %q, but %s has generation %q", q.Path, got.Generation, q.Scope(), want)
		}
		got.Body = mariadb.ShortDeviation(got.Body)
		if got.Status != want.Status || string(got.Body) != want.Body && !(reordered[want.Request] && sameLength(got.Body, want.Body)) {
			t.Errorf("%s:\n got %d %.400s\nwant %d %.400s", want.Request, got.Status, got.Body, want.Status, want.Body)
		}
	}
	if asked < 370 {
		t.Errorf("only %d of %d recorded questions reached the store", asked, len(answers))
	}
}

// unrecorded lists the endpoints of the old API without a recorded answer.
var unrecorded = []string{"/snapshots/", "/scs/athletes/{athlete_hnd}/discrepancy"}

// TestEndpointsOfTheOldAPI: an endpoint that the old API does not have is marked as Own.
func TestEndpointsOfTheOldAPI(t *testing.T) {
	answers, err := storetest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[*readapi.Endpoint]bool{}
	for _, a := range answers {
		e, _ := routed(t, a.Request)
		recorded[e] = true
	}
	for _, e := range readapi.Endpoints() {
		if !recorded[e] && !e.Own && !slices.Contains(unrecorded, e.Path) {
			t.Errorf("%s has no recorded answer: if the old API does not have it, set Own; otherwise add it to unrecorded", e.Path)
		}
	}
}

// routed finds the endpoint of a request, and the texts of its parameters.
func routed(t testing.TB, request string) (*readapi.Endpoint, texts) {
	t.Helper()
	u, err := url.Parse(request)
	if err != nil {
		t.Fatal(err)
	}
	given := texts{}
	for name, values := range u.Query() {
		given[name] = values[len(values)-1]
	}
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	matches := slices.DeleteFunc(slices.Clone(readapi.Endpoints()), func(e *readapi.Endpoint) bool {
		names := strings.Split(strings.Trim(e.Path, "/"), "/")
		return !slices.EqualFunc(names, segments, func(name, s string) bool { return name[0] == '{' || name == s })
	})
	if len(matches) == 0 {
		return nil, nil
	}
	// A fixed segment goes before a parameter.
	best := slices.MinFunc(matches, func(a, b *readapi.Endpoint) int {
		return cmp.Compare(strings.Count(a.Path, "{"), strings.Count(b.Path, "{"))
	})
	for i, name := range strings.Split(strings.Trim(best.Path, "/"), "/") {
		if name[0] == '{' {
			given[strings.Trim(name, "{}")] = segments[i]
		}
	}
	return best, given
}

func sameLength(a []byte, b string) bool {
	var x, y struct {
		Total   int
		Results []json.RawMessage
	}
	return json.Unmarshal(a, &x) == nil && json.Unmarshal([]byte(b), &y) == nil && x.Total == y.Total &&
		len(x.Results) == len(y.Results)
}
