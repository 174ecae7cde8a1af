package site_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/site"
)

// Unknown paths are routes of the app, which index.html answers; other missing files
// are missing.
func ExampleSite_Find() {
	dir, err := os.MkdirTemp("", "site-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{"index.html": "<!doctype html>", "app.js": "run()"} {
		_ = os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
	}
	s, err := site.New(site.Options{Dir: dir, Variants: content.OfFile})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"/", "/app.js", "/teams/714", "/missing.js"} {
		f, err := s.Find([]byte(path))
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Println(path, "is missing")
			continue
		}
		fmt.Println(path, f.ContentType, f.Size)
	}
	// Output:
	// / text/html; charset=utf-8 15
	// /app.js text/javascript; charset=utf-8 5
	// /teams/714 text/html; charset=utf-8 15
	// /missing.js is missing
}
