package deploy

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

// byHand are the files of this folder that packages do not contain: they are for
// installations without systemd or without root.
var byHand = []string{"xcri-proxy.sh", "xcri-proxy.cgi", "user", "package"}

// packaged returns the files of the checkout in the configuration of the packages,
// relative to this folder, with the path of each in the package.
func packaged(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ +- src: source/config/deploy/(\S+)\n +dst: (\S+)$`).FindAllStringSubmatch(read(t, "package/nfpm.yaml"), -1) {
		files[strings.TrimSuffix(m[1], "/")] = m[2]
	}
	return files
}

// TestPackagedFiles holds that the packages contain existing files, and every file of
// this folder that a host with systemd can use.
func TestPackagedFiles(t *testing.T) {
	files := packaged(t)
	for name := range files {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		_, has := files[name]
		if strings.HasSuffix(name, ".go") || slices.Contains(byHand, name) || name == "xcri-proxy.service" {
			continue
		}
		if !has {
			t.Errorf("%s is in no package: add it to package/nfpm.yaml", name)
		}
	}
	for name, want := range map[string]string{"xcri-proxy.env.example": "/etc/xcri-proxy.env", "xcri-proxy.socket": "/usr/lib/systemd/system/xcri-proxy.socket"} {
		if files[name] != want {
			t.Errorf("%s is packaged as %s, want %s", name, files[name], want)
		}
	}
	scripts := regexp.MustCompile(`(?m)^ +(?:pre|post)\w+: source/config/deploy/(\S+)$`).FindAllStringSubmatch(read(t, "package/nfpm.yaml"), -1)
	if len(scripts) != 6 {
		t.Errorf("%d maintainer scripts", len(scripts))
	}
	for _, m := range scripts {
		if _, err := os.Stat(m[1]); err != nil {
			t.Error(err)
		}
	}
}

// TestPackageScripts checks the scripts that make packages and run in them.
func TestPackageScripts(t *testing.T) {
	need.Program(t, "shellcheck", "shellcheck")
	scripts := []string{"package/postinst", "package/prerm", "package/postrm"}
	for _, args := range [][]string{scripts, {"-s", "sh", "package/rpm-post", "package/rpm-preun", "package/rpm-postun"}, {"-x", "-P", "../..", "../../.ci/run", "../../.ci/package", "../../.ci/platforms"}} {
		if out, err := exec.Command("shellcheck", args...).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// TestPackagedUnit holds that the service has the lines that .ci/package replaces, with
// the account that the package makes.
func TestPackagedUnit(t *testing.T) {
	service, script := read(t, "xcri-proxy.service"), read(t, "../../.ci/package")
	for _, line := range []string{"ExecStart=/usr/local/bin/xcri-proxy serve", "DynamicUser=yes"} {
		if strings.Count(service, "\n"+line+"\n") != 1 {
			t.Errorf("the unit has not exactly one line %s", line)
		}
	}
	account := regexp.MustCompile(`(?m)^u (\S+) `).FindStringSubmatch(read(t, "package/xcri-proxy.sysusers"))
	if account == nil || !strings.Contains(script, "User="+account[1]+`\n`) {
		t.Errorf("the unit of the package does not run as %v", account)
	}
}
