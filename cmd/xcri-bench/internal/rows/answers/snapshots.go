package answers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
)

// snapshots is the list of all snapshots, which names their numbers of athletes.
const snapshots = "/snapshots/"

// Snapshots measures fills of /snapshots/: after a purge, and in the warm set after an
// import of a group of a snapshot. The first fill of a process counts all snapshots.
func Snapshots(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.Stop()
	counted, err := took(ctx, snapshots)
	if err != nil {
		return err
	}
	var cold, imported []float64
	for range max(6, l.Repeats()) {
		if err := purge(ctx, snapshots); err != nil {
			return err
		}
		begun := time.Now()
		if _, err := ask.Get(ctx, snapshots); err != nil {
			return err
		}
		cold = append(cold, 1e3*time.Since(begun).Seconds())
	}
	for i := range max(6, l.Repeats()) {
		group := importer.Scope{Season: 2025, Division: ask.Divisions[i%len(ask.Divisions)], Gender: ask.Genders[i%len(ask.Genders)], Checkpoint: "2025-10-20"}
		if err := l.Import(ctx, group); err != nil {
			return err
		}
		if err := l.AwaitPublish(ctx); err != nil {
			return err
		}
		n, err := took(ctx, snapshots)
		if err != nil {
			return err
		}
		imported = append(imported, n)
	}
	for _, of := range []struct {
		what  string
		times []float64
	}{{"cold", cold[1:]}, {"in the warm set after an import", imported}} {
		l.Reports.Add(report.Row{Name: snapshots + " " + of.what + ": median", Most: true, Bound: 50, Unit: "ms", Samples: of.times,
			Ours: fmt.Sprintf("%.2f ms", stats.Median(of.times)), Other: fmt.Sprintf("the first of the process: %.0f ms", counted)})
	}
	return nil
}

// purge drops an answer.
func purge(ctx context.Context, target string) error {
	body, err := json.Marshal(map[string]any{"path": target, "hard": true})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+ask.ProxyAddr+"/cache/purge", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := ask.Plain.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/cache/purge: %s", resp.Status)
	}
	return nil
}

// took returns the milliseconds that the fill of a cached answer took.
func took(ctx context.Context, target string) (float64, error) {
	a, err := ask.Send(ctx, ask.ProxyAddr, ask.Question{Target: "/cache/entry?path=" + url.QueryEscape(target)})
	if err != nil {
		return 0, err
	}
	var entry struct {
		TookMS *float64 `json:"took_ms"`
	}
	if err := json.Unmarshal(a.Body, &entry); err != nil {
		return 0, err
	}
	if entry.TookMS == nil {
		return 0, fmt.Errorf("%s is not cached", target)
	}
	return *entry.TookMS, nil
}
