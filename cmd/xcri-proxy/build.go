//go:build !man

package main

import "github.com/spf13/cobra"

// buildCommands returns the commands for the build of a package: none in a release.
func buildCommands() []*cobra.Command { return nil }
