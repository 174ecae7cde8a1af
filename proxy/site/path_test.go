package site

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// paths lists requested paths and the files that answer them; "" means no file.
var paths = []struct{ path, want string }{
	{"/", indexName},
	{"/index.html", indexName},
	{"/%69ndex.html", indexName},
	{"/assets/index-Bx3fK9aZ.js", "assets/index-Bx3fK9aZ.js"},
	{"/assets/index%2DBx3fK9aZ.js", "assets/index-Bx3fK9aZ.js"},
	{"/assets/faq-C0ffeeAB.md", "assets/faq-C0ffeeAB.md"},
	{"/inside.js", "inside.js"},
	{"/with%20space.js", "with space.js"},

	{"/faq", indexName},
	{"/team/123", indexName},
	{"/team/123/2025-10-27/", indexName},
	{"/search/a.b", indexName},
	{"/team/St.%20Mary's", indexName},
	{"/team/%C3%A9cole", indexName},
	{"/team/100%25", indexName},
	{"/assets", indexName},
	{"/assets/", indexName},
	{"/%252e%252e/secret", indexName}, // decoded once, so a route of the app

	{"/assets/missing-Bx3fK9aZ.js", ""},
	{"/missing.html", ""},
	{"/MISSING.JS", ""},
	{"/folder.js", ""},
	{"/folder.js/", ""},
	{"/index.html/", ""},
	{"/index.html/x.js", ""},
	{"/pipe.js", ""},
	{"/outside.js", ""},
	{"/away/outside.js", ""},
	{"/loop.js", ""},

	{"/.env", ""},
	{"/.env/", ""},
	{"/%2eenv", ""},
	{"/.git/config", ""},
	{"/.well-known/x.html", ""},
	{"/assets/.hidden.js", ""},
	{"/secret.py", ""},
	{"/secret.PY", ""},
	{"/secret.py/", ""},
	{"/secret.p%79", ""},
	{"/settings.env", ""},
	{"/api-proxy.cgi", ""},
	{"/README.md", ""},
	{"/robots.txt", ""},
	{"/package.json", ""},
	{"/assets/notes.md", ""},
	{"/assets/secret-A1b2C3d4.py", ""},
	{"/index.html.bak", ""},
	{"/index.html~", ""},
	{"/wp-login.php", ""},

	{"//", ""},
	{"//index.html", ""},
	{"/assets//index-Bx3fK9aZ.js", ""},
	{"/./index.html", ""},
	{"/../outside.js", ""},
	{"/assets/../../outside.js", ""},
	{"/%2e%2e/outside.js", ""},
	{"/..%2foutside.js", ""},
	{"/assets%2Findex-Bx3fK9aZ.js", ""},
	{"/..\\outside.js", ""},
	{"/..%5coutside.js", ""},
	{"/index.html%00.js", ""},
	{"/index.html\x00", ""},
	{"/faq%0a", ""},
	{"/faq%7f", ""},
	{"/%", ""},
	{"/faq%2", ""},
	{"/faq%zz", ""},
	{"/" + strings.Repeat("x", 300) + ".js", ""},
}

func TestPaths(t *testing.T) {
	s := newSite(t, Options{Dir: folder(t)})
	for _, tt := range paths {
		t.Run(tt.path, func(t *testing.T) {
			file, err := s.Find([]byte(tt.path))
			if tt.want == "" {
				if !errors.Is(err, fs.ErrNotExist) || file != nil {
					t.Errorf("got %v, %v", file, err)
				}
				return
			}
			if err != nil || file.name != tt.want || string(file.Variants[0].Body) != "this is "+tt.want {
				t.Errorf("got %+v, %v", file, err)
			}
		})
	}
}

// FuzzPath holds that the answer to any path is one of the public files.
func FuzzPath(f *testing.F) {
	for _, tt := range paths {
		f.Add(tt.path)
	}
	f.Add("/assets/%2e%2e/.env")
	f.Add("/assets/..;/secret.py")
	f.Add("/\xff\xfe/..\xc0\xafoutside.js")
	s := newSite(f, Options{Dir: folder(f)})
	public := map[string]bool{}
	for _, tt := range paths {
		public[tt.want] = tt.want != ""
	}
	f.Fuzz(func(t *testing.T, path string) {
		file, err := s.Find([]byte(path))
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			return
		}
		if !public[file.name] || string(file.Variants[0].Body) != "this is "+file.name {
			t.Fatalf("%q leads to %q: %s", path, file.name, file.Variants[0].Body)
		}
		if n := s.Stats().Files; n > int64(len(public)) {
			t.Fatalf("%d files are kept", n)
		}
	})
}

func TestIsHashed(t *testing.T) {
	for name, want := range map[string]bool{
		"assets/index-Bx3fK9aZ.js":       true,
		"assets/index-Bx-fK9aZ.js":       true,
		"assets/index--x_fK9a-.js":       true,
		"assets/a-b-0a1b2c3d.css":        true,
		"assets/index-0a1b2c3d4e5f.css":  true,
		"assets/deep/er/x-Bx3fK9aZ.md":   true,
		"assets/index-Bx3fK9a.js":        false, // too short
		"assets/index.js":                false,
		"assets/Bx3fK9aZ.js":             false, // no name
		"assets/team-document.md":        false, // a word
		"assets/report-20251027.md":      false, // a date
		"assets/team-logo-2025.png":      false,
		"assets/index-Bx3fK9a+.js":       false,
		"assets/index-Bx3fK9aZ":          false,
		"index-Bx3fK9aZ.js":              false, // elsewhere
		"other/assets/index-Bx3fK9aZ.js": false,
	} {
		if isHashed([]byte(name)) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestTypes(t *testing.T) {
	for ext, kind := range types {
		if blocked[ext] || kind.content == "" || strings.ToLower(ext) != ext {
			t.Errorf("%s: %+v", ext, kind)
		}
		if strings.HasPrefix(kind.content, "text/") != strings.HasSuffix(kind.content, "; charset=utf-8") {
			t.Errorf("%s: %s", ext, kind.content)
		}
	}
	// Paths that the site's Apache rejected.
	dir := folder(t)
	s := newSite(t, Options{Dir: dir})
	for ext := range extensions("py pyc pyo env log ini cnf md txt json yaml yml") {
		write(t, filepath.Join(dir, "x."+ext), "secret")
		expect(t, s, "/x."+ext, nothing)
	}
}
