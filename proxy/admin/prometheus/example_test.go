package prometheus_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/prometheus"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
)

// The statuses of the answers become the values of one family, by their label.
func ExampleText() {
	var s api.Stats
	s.Requests.Statuses = map[string]int64{"304": 12, "200": 30}
	for line := range strings.Lines(string(prometheus.Text(s, nil, metrics.New(0), time.Now()))) {
		if strings.HasPrefix(line, "xcri_responses_total") {
			fmt.Print(line)
		}
	}
	// Output:
	// xcri_responses_total{code="200"} 30
	// xcri_responses_total{code="304"} 12
}
