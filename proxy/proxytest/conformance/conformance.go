// Package conformance compares a server with the recorded answers of the read API.
package conformance

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// Requests is the number of recorded answers.
const Requests = 420

// reordered are the requests whose recorded rows have an unspecified order. The
// contract specifies the order of the primary key.
var reordered = map[string]bool{
	"/athletes/?limit=10.0":                                true,
	"/athletes/?season_year=2025&limit=100":                true,
	"/athletes/?gender=F":                                  true,
	"/teams/?division=0&season_year=2025&gender=M&limit=1": true,
}

// Check sends every recorded request to the server at base, which must serve the
// sample data. Each answer must equal the recorded answer byte for byte.
func Check(t testing.TB, base string) {
	t.Helper()
	answers, err := storetest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	if len(answers) != Requests {
		t.Fatalf("%d recorded answers, want %d", len(answers), Requests)
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	for _, want := range answers {
		check(t, client, base, want)
	}
}

func check(t testing.TB, client *http.Client, base string, want storetest.Recorded) {
	t.Helper()
	resp, err := client.Get(base + want.Request)
	if err != nil {
		t.Fatalf("%s: %v", want.Request, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", want.Request, err)
	}
	if resp.StatusCode != want.Status {
		t.Errorf("%s: status %d, want %d: %.200s", want.Request, resp.StatusCode, want.Status, body)
		return
	}
	if got := resp.Header.Get("Content-Type"); got != want.ContentType {
		t.Errorf("%s: Content-Type %q, want %q", want.Request, got, want.ContentType)
	}
	body = mariadb.ShortDeviation(body)
	if want.StatusOnly || string(body) == want.Body {
		return
	}
	if reordered[want.Request] && want.Ties && sameRows(body, []byte(want.Body)) {
		return
	}
	t.Errorf("%s: %s", want.Request, difference(body, []byte(want.Body)))
}

// sameRows reports whether two lists differ only in their rows and have the same
// number of rows.
func sameRows(got, want []byte) bool {
	var a, b struct {
		Total, Limit, Offset int
		Results              []json.RawMessage
	}
	return json.Unmarshal(got, &a) == nil && json.Unmarshal(want, &b) == nil &&
		a.Total == b.Total && a.Limit == b.Limit && a.Offset == b.Offset && len(a.Results) == len(b.Results)
}

// difference shows two texts around the first byte that differs.
func difference(got, want []byte) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	around := func(s []byte) []byte { return s[max(0, min(i-60, len(s))):min(i+80, len(s))] }
	var b bytes.Buffer
	b.WriteString("got …")
	b.Write(around(got))
	b.WriteString("… want …")
	b.Write(around(want))
	b.WriteString("…")
	return b.String()
}
