package history

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/cache/atomicfile"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const (
	// format is the version of the file. A file of another format is not read.
	format = 1
	// maxFile and maxText limit a file, and its content without compression.
	maxFile, maxText = 4 << 20, 32 << 20
)

// file is the content of a file, which is JSON in gzip.
type file struct {
	Format int         `json:"format"`
	Steps  [][]point   `json:"steps"`
	Events []api.Event `json:"events"`
}

// Save writes the history, and the events that explain it, to the file at path.
func (h *History) Save(path string, events []api.Event) error {
	h.mu.Lock()
	content := file{Format: format, Events: events}
	for i := range h.series {
		// Samples are not changed after they were added.
		content.Steps = append(content.Steps, slices.Clone(h.newest(i)))
	}
	h.mu.Unlock()
	return atomicfile.Replace(path, 0o600, func(w io.Writer) error {
		packed := gzip.NewWriter(w)
		if err := json.NewEncoder(packed).Encode(content); err != nil {
			return err
		}
		return packed.Close()
	})
}

// Load adds the samples of an earlier run from the file at path, and returns its events.
// It must precede the first Sample. Samples that are newer than now, and the figures of
// routes that the program no longer has, are left out. After an error nothing has
// changed.
func (h *History) Load(path string, now time.Time) ([]api.Event, error) {
	content, err := read(path)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, points := range content.Steps {
		h.series[i].points = h.usable(points, now, steps[i].kept)
	}
	return slices.DeleteFunc(content.Events, func(e api.Event) bool { return e.At.After(now) }), nil
}

// read reads a file and checks its form.
func read(path string) (content file, err error) {
	packed, err := atomicfile.Read(path, maxFile)
	if err != nil {
		return content, err
	}
	text, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return content, err
	}
	all, err := io.ReadAll(io.LimitReader(text, maxText+1))
	switch {
	case err != nil:
		return content, err
	case len(all) > maxText:
		return content, fmt.Errorf("it has more than %d bytes", maxText)
	}
	if err := json.Unmarshal(all, &content); err != nil {
		return content, err
	}
	if content.Format != format || len(content.Steps) != len(steps) {
		return content, fmt.Errorf("its format is %d, not %d", content.Format, format)
	}
	return content, nil
}

// usable returns the newest of the points that belong in a step.
func (h *History) usable(points []point, now time.Time, kept int) (left []point) {
	for _, p := range points {
		if p.Seconds <= 0 || p.At > now.UnixMilli() || len(left) > 0 && p.At <= left[len(left)-1].At {
			continue
		}
		known := p.Routes[:0]
		for _, f := range p.Routes {
			if slices.Contains(h.routes, f.Route) {
				known = append(known, f)
			}
		}
		p.Routes = slices.Clip(known)
		left = append(left, p)
	}
	return left[max(0, len(left)-kept):]
}
