// Package need finds the programs that tests start.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns where a program is that comes in the Debian package pkg.
// Where there is none the test is skipped, but fails in CI.
func Program(t testing.TB, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is needed: apt-get install %s", program, pkg)
	}
	t.Skipf("%s is needed: apt-get install %s", program, pkg)
	return ""
}
