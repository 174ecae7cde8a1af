// Package need checks that a test has the programs and rights that it needs.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program of the Debian package pkg. Without the
// program the test is skipped, and fails in CI.
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

// OrdinaryUser skips a test of file permissions for root, to whom they do not
// apply. CI runs the tests that call it once more as another user.
func OrdinaryUser(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("root bypasses file permissions")
	}
}
