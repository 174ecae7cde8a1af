//go:build man

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command that help shows has a manual page with its summary and its flags.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	p := &program{}
	root := p.rootCommand()
	if err := writeManual(root, dir); err != nil {
		t.Fatal(err)
	}
	pages := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() && cmd != root || cmd.IsAdditionalHelpTopicCommand() {
			return
		}
		pages++
		page, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
		if err != nil {
			t.Error(err)
			return
		}
		flat := strings.NewReplacer(`\`, "", "\n", " ").Replace(string(page))
		if !strings.Contains(flat, cmd.Short) {
			t.Errorf("%s: no summary", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	if pages < 10 {
		t.Errorf("%d commands", pages)
	}
}
