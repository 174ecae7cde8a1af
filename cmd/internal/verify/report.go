package verify

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// Verdicts in the order in which the report lists them.
const (
	sameButOrder = "same_but_order"
	expected     = "expected"
	different    = "different"
	failed       = "failed"
	skipped      = "skipped"
)

var verdicts = []string{"same_bytes", "same_json", sameButOrder, expected, different, failed, skipped}

// Report is the report of verify.
type Report struct {
	Result    string         `json:"result"`
	Questions int            `json:"questions"`
	Asked     int            `json:"asked"` // number of comparisons
	Verdicts  map[string]int `json:"verdicts"`
	Seconds   float64        `json:"seconds"`
	Times
	Found []api.Comparison `json:"found"` // all differences that are not expected
	// Expected counts the expected differences by the fault of the old API that
	// explains them.
	Expected map[string]int `json:"expected"`
	Error    string         `json:"error,omitempty"`

	Log *accesslog.Summary `json:"log,omitempty"`

	begun time.Time
	sums  sums
}

// Times are means over the comparisons for which both sources were queried and answered.
type Times struct {
	StoreMS  float64 `json:"store_ms"`
	LegacyMS float64 `json:"legacy_ms"`
	Ratio    float64 `json:"legacy_to_store"` // ratio of the times; zero means no times
}

// sums are the sums from which Times are calculated.
type sums struct {
	answered      int
	store, legacy float64 // milliseconds
}

func newReport() *Report {
	r := &Report{Verdicts: map[string]int{}, Expected: map[string]int{}, Found: []api.Comparison{}, begun: time.Now()}
	for _, verdict := range verdicts {
		r.Verdicts[verdict] = 0
	}
	return r
}

// add counts one comparison.
func (r *Report) add(c api.Comparison) {
	r.Asked++
	r.Verdicts[c.Verdict]++
	if c.Store.MS > 0 && c.Store.Status > 0 && c.Legacy.Status > 0 && c.Verdict != expected {
		r.sums.answered++
		r.sums.store += c.Store.MS
		r.sums.legacy += c.Legacy.MS
	}
	switch c.Verdict {
	case expected:
		r.Expected[c.Expected]++
	case sameButOrder, different, failed, skipped:
		r.Found = append(r.Found, c)
	}
}

// line returns the intermediate result in a line.
func (r *Report) line() string {
	text := fmt.Sprintf("%d of %d questions, %d different", r.Asked, r.Questions, r.Verdicts[different])
	if n := r.Verdicts[failed]; n > 0 {
		text += fmt.Sprintf(", %d failed", n)
	}
	return text
}

// judge returns an error with the exit status that follows from the comparisons.
func (r *Report) judge() error {
	compared := r.Asked - r.Verdicts[skipped]
	switch {
	case r.Verdicts[different] > 0:
		return exit.Errorf(exit.Different, "%d of %d answers are different", r.Verdicts[different], compared)
	case r.Asked < r.Questions:
		return exit.Errorf(exit.Runtime, "interrupted after %d of %d questions", r.Asked, r.Questions)
	case compared == 0:
		return exit.Errorf(exit.Runtime, "nothing was compared: there was no question that both sources can be asked")
	case r.Verdicts[failed] > 0:
		return exit.Errorf(exit.Partly, "%d of %d answers could not be compared", r.Verdicts[failed], compared)
	}
	return nil
}

// results are the words for the exit statuses.
var results = map[int]string{
	0: "same", exit.Runtime: "failed", exit.Usage: "failed", exit.Partly: "partly_failed", exit.Unreachable: "proxy_unreachable", exit.Different: "different",
}

// finish records the result.
func (r *Report) finish(err error) {
	r.Result, r.Seconds = results[exit.Status(err)], time.Since(r.begun).Seconds()
	if err != nil {
		r.Error = err.Error()
	}
	if r.sums.answered > 0 {
		r.StoreMS, r.LegacyMS = r.sums.store/float64(r.sums.answered), r.sums.legacy/float64(r.sums.answered)
	}
	if r.StoreMS > 0 {
		r.Ratio = r.LegacyMS / r.StoreMS
	}
}

// print writes the report for people, with a limited number of findings.
func (r *Report) print(w io.Writer, most int) {
	if r.Log != nil {
		fmt.Fprintf(w, "log: %s, %d malformed, %s for the API; %d taken\n", plural.Of(r.Log.Lines, "line"), r.Log.Malformed, plural.Of(r.Log.Counted, "request"), r.Log.Keys)
	}
	fmt.Fprintf(w, "asked: %d of %d questions in %.1f s\n", r.Asked, r.Questions, r.Seconds)
	for _, verdict := range verdicts {
		fmt.Fprintf(w, "  %-14s %6d\n", verdict, r.Verdicts[verdict])
		if verdict == expected {
			for _, fault := range slices.Sorted(maps.Keys(r.Expected)) {
				fmt.Fprintf(w, "    %5d: %s\n", r.Expected[fault], fault)
			}
		}
	}
	if r.sums.answered > 0 {
		fmt.Fprintf(w, "mean time: store %.1f ms, legacy %.1f ms, %.1f times as long\n", r.StoreMS, r.LegacyMS, r.Ratio)
	}
	shown := 0
	for _, verdict := range []string{different, failed, sameButOrder, skipped} {
		for _, c := range r.Found {
			if c.Verdict == verdict && shown < most {
				shown++
				printComparison(w, c)
			}
		}
	}
	if left := len(r.Found) - shown; left > 0 {
		fmt.Fprintf(w, "\nand %d more: --show %d or --json shows them\n", left, len(r.Found))
	}
}

// printComparison writes the verdict of a comparison and the first difference.
func printComparison(w io.Writer, c api.Comparison) {
	fmt.Fprintf(w, "\n%s: %s\n", c.Verdict, c.Path)
	if c.Error != "" {
		fmt.Fprintf(w, "  %s\n", c.Error)
	}
	if d := c.Difference; d != nil {
		at := d.Path
		if at == "" {
			at = "the whole answer"
		}
		fmt.Fprintf(w, "  at %s\n    store:  %s\n    legacy: %s\n", at, d.Store, d.Legacy)
	}
}
