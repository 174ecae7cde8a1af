// Package site serves the files of a built single-page app.
package site

import (
	"errors"
	"os"

	"github.com/valyala/fasthttp"
)

// Options say what to serve. Dir is required.
type Options struct {
	// Dir is the folder that holds index.html.
	Dir string
	// Base is the path that the app is below, without a final slash.
	Base string
}

// Site serves one folder. It is safe for concurrent use.
type Site struct {
	opts Options
	root *os.Root
}

// New opens the folder. It is an error if that has no index.html.
func New(opts Options) (*Site, error) {
	if opts.Dir == "" {
		return nil, errors.New("site: Options.Dir is missing")
	}
	root, err := os.OpenRoot(opts.Dir)
	if err != nil {
		return nil, err
	}
	return &Site{opts, root}, nil
}

// Serve answers a request for a raw path below Base.
func (s *Site) Serve(ctx *fasthttp.RequestCtx, path []byte) {
	ctx.Response.SetStatusCode(fasthttp.StatusNotFound)
}

// Close closes the folder.
func (s *Site) Close() error { return s.root.Close() }
