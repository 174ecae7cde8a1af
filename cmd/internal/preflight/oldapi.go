package preflight

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/cmd/internal/verify"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// latestPage is a page of the read API with a short answer, and maxLatest is longer than
// that answer.
const (
	latestPage = "/metadata/latest/date"
	maxLatest  = 64 << 10
)

// checkOldAPI asks the old API for the time of its newest calculation. verify compares
// its answers.
func checkOldAPI(i *inspection, ctx context.Context) finding {
	at := i.cfg.Legacy.URL
	if at == "" {
		return warn("set LEGACY_URL while the old API runs", "without LEGACY_URL feedback and the API's documents are not served, and there is no way back")
	}
	ctx, cancel := context.WithTimeout(ctx, i.cfg.Legacy.Timeout)
	defer cancel()
	begun := time.Now()
	latest, err := askLatest(ctx, at)
	switch {
	case err != nil:
		return noGo("check LEGACY_URL, and that the old API runs", "%s: %v", at, err)
	case latest.Calculated == "":
		return noGo("check LEGACY_URL", "%s answers, but not as the old API", at)
	case strings.HasPrefix(latest.server, "xcri-proxy"):
		return warn("point LEGACY_URL to the old API itself, not to Apache or this proxy", "%s is an xcri-proxy", at)
	}
	return pass("%s answers in %s: its newest calculation is of %s", at, round(time.Since(begun)), latest.Calculated)
}

// latest is the old API's answer to latestPage.
type latest struct {
	Calculated string `json:"calculated_at"`
	server     string // the header of that name
}

func askLatest(ctx context.Context, at string) (l latest, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+latestPage, nil)
	if err != nil {
		return l, err
	}
	resp, err := adminclient.Direct().Do(req)
	if err != nil {
		return l, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxLatest))
	if err != nil {
		return l, err
	}
	if resp.StatusCode != http.StatusOK {
		return l, fmt.Errorf("%s answers %s", latestPage, resp.Status)
	}
	l.server = resp.Header.Get("Server")
	_ = json.Unmarshal(body, &l) // another text leaves the time empty
	return l, nil
}

const (
	// verifyRate limits the comparisons a second: each asks the old API, too.
	verifyRate    = 20
	verifyTimeout = 30 * time.Second
)

// checkVerify compares a sample of the warm set with the old API.
func checkVerify(i *inspection, ctx context.Context) finding {
	switch {
	case i.flags.Verify == 0:
		return skip("--verify 0")
	case i.cfg.Legacy.URL == "":
		return skip("no LEGACY_URL")
	}
	var out bytes.Buffer
	err := verify.Run(ctx, i.rehearsal.client, i.cfg.BasePath,
		verify.Options{Rate: verifyRate, Limit: i.flags.Verify, Timeout: verifyTimeout, JSON: true},
		console.Streams{In: strings.NewReader(""), Out: &out, Err: io.Discard})
	var report verify.Report
	if wrong := json.Unmarshal(out.Bytes(), &report); wrong != nil {
		return noGo("run xcri-proxy verify once the proxy serves", "%v", cmp.Or(err, wrong))
	}
	if err == nil {
		return pass("%s compared, none is different but as expected; the old API takes %.1f times as long", plural.Of(report.Asked, "answer"), report.Ratio)
	}
	first := ""
	for _, c := range report.Found {
		if c.Verdict == "different" || c.Verdict == "failed" {
			first = ", such as " + c.Path + " " + c.Error
			break
		}
	}
	remedy := "check the old API and its database; xcri-proxy verify shows each difference once the proxy serves"
	if exit.Status(err) == exit.Different {
		remedy = "check that both read the same database; xcri-proxy verify shows each difference once the proxy serves"
	}
	return noGo(remedy, "%s%s", report.Error, strings.TrimRight(first, " "))
}
