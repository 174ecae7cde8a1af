package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/apart"
	"github.com/lewistv/xcri-proxy/cmd/internal/app"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/proxy/content"
)

// compress is the name of the command that serve runs in idle time.
const compress = "compress"

// thisProgram returns this program as an App uses it. The kernel finds its file also after
// an upgrade has replaced the file.
func thisProgram() app.Program {
	return app.Program{Version: buildVersion(), Apart: apart.Work{Path: "/proc/self/exe", Args: []string{compress}}}
}

// compressCommand is not in the help: it is of no use to an operator.
func (p *program) compressCommand() *cobra.Command {
	return &cobra.Command{
		Use:    compress,
		Short:  "Write the smallest form in brotli of the standard input, in idle time",
		Hidden: true,
		Args:   noArgs,
		RunE: func(*cobra.Command, []string) error {
			if console.IsTerminal(p.Out) {
				return errors.New("compress writes binary data, not for a terminal: redirect its output to a file")
			}
			if err := apart.Lower(); err != nil {
				return err
			}
			body, err := io.ReadAll(p.In)
			if err == nil {
				_, err = p.Out.Write(content.BestBrotli(body))
			}
			return err
		},
	}
}
