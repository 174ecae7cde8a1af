package show

import (
	"fmt"
	"io"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// Maintenance writes the state of maintenance mode.
func Maintenance(w io.Writer, s api.MaintenanceState) {
	if !s.On {
		fmt.Fprintln(w, "maintenance: off")
		return
	}
	until := "not said"
	if s.Until != nil {
		until = s.Until.Local().Format("2006-01-02 15:04 MST")
	}
	fmt.Fprintf(w, "maintenance: on\nsince:       %s\nuntil:       %s\n", s.Since.Local().Format("2006-01-02 15:04 MST"), until)
	if s.Message != "" {
		fmt.Fprintf(w, "message:     %s\n", s.Message)
	}
}
