package main

import (
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
)

// TestReport holds that report reviews a running proxy in each format, and its hint and
// exit status where no proxy is.
func TestReport(t *testing.T) {
	addr := startProxy(t)
	expect(t, 0, []string{"report", "--since", "1h", "--listen-addr", addr}, "xcri-proxy test at "+addr, "history", "Outcomes: hit ", "start")
	expect(t, 0, []string{"report", "--format", "json", "--listen-addr", addr}, `"version":"test"`, `"points":[{"name":"history","well":false,`)
	expect(t, 0, []string{"report", "--format", "html", "--listen-addr", addr}, "<!doctype html>", "Points that ask for attention: ")
	expect(t, exit.Runtime, []string{"report", "--check", "--listen-addr", addr}, "LOOK") // its history has just begun
	expect(t, exit.Usage, []string{"report", "--since", "72h", "--listen-addr", addr}, "--since: want 1m to 48h", "see xcri-proxy report --help")
	expectNothingListens(t, "report")
}
