package site

import (
	"bytes"
	"net/url"
	"strings"
)

// indexName is the start page of the app.
const indexName = "index.html"

var index = []byte(indexName)

// assetsFolder is where the build puts files whose names change with their content.
const assetsFolder = "assets/"

// fileType describes how files with an extension are sent.
type fileType struct {
	content  string // Content-Type
	compress bool
	// hashed restricts a type to files with a hash in their name: other files of the
	// type may be notes or settings that were left in the folder.
	hashed bool
}

// types lists all served types. The system's table of types is not used.
var types = map[string]fileType{
	"html":        {content: "text/html; charset=utf-8", compress: true},
	"js":          {content: "text/javascript; charset=utf-8", compress: true},
	"mjs":         {content: "text/javascript; charset=utf-8", compress: true},
	"css":         {content: "text/css; charset=utf-8", compress: true},
	"svg":         {content: "image/svg+xml", compress: true},
	"xml":         {content: "application/xml", compress: true},
	"map":         {content: "application/json", compress: true},
	"webmanifest": {content: "application/manifest+json", compress: true},
	"wasm":        {content: "application/wasm", compress: true},
	"json":        {content: "application/json", compress: true, hashed: true},
	"md":          {content: "text/markdown; charset=utf-8", compress: true, hashed: true},
	"txt":         {content: "text/plain; charset=utf-8", compress: true, hashed: true},
	"ico":         {content: "image/x-icon", compress: true},
	"png":         {content: "image/png"},
	"jpg":         {content: "image/jpeg"},
	"jpeg":        {content: "image/jpeg"},
	"gif":         {content: "image/gif"},
	"webp":        {content: "image/webp"},
	"avif":        {content: "image/avif"},
	"woff":        {content: "font/woff"},
	"woff2":       {content: "font/woff2"},
	"ttf":         {content: "font/ttf", compress: true},
	"otf":         {content: "font/otf", compress: true},
	"eot":         {content: "application/vnd.ms-fontobject", compress: true},
	"mp3":         {content: "audio/mpeg"},
	"mp4":         {content: "video/mp4"},
	"webm":        {content: "video/webm"},
	"pdf":         {content: "application/pdf"},
}

// blocked are the extensions of files that are never served. A path whose extension
// is neither here nor in types is a route of the app.
var blocked = extensions("py pyc pyo env log ini cnf yaml yml " +
	"cgi pl php phtml asp aspx jsp rb sh bash sql db sqlite conf toml lock htaccess htpasswd " +
	"key pem crt bak orig old save swp swo tmp dist zip gz br tgz tar bz2 xz zst 7z rar jsx ts tsx vue")

func extensions(list string) map[string]bool {
	set := map[string]bool{}
	for ext := range strings.FieldsSeq(list) {
		set[ext] = true
	}
	return set
}

// resolve returns the file for a raw path: the named file, or the index for a route
// of the app. It returns false for a path that must not or can't name a file.
func resolve(path []byte) (name []byte, ok bool) {
	name, ok = decode(bytes.TrimPrefix(path, []byte("/")))
	if !ok {
		return nil, false
	}
	name, folder := bytes.CutSuffix(name, []byte("/"))
	if len(name) == 0 {
		return index, !folder
	}
	last, ok := lastSegment(name)
	if !ok {
		return nil, false
	}
	ext := extension(last)
	known, isFile := types[string(ext)]
	switch {
	case blocked[string(ext)] || last[len(last)-1] == '~' || isFile && folder:
		return nil, false
	case !isFile:
		return index, true
	case known.hashed && !isHashed(name):
		return nil, false
	}
	return name, true
}

// decode removes the percent-encoding once. It rejects characters that are not part
// of any file's name here but have a meaning in a file system: control characters,
// backslashes and encoded slashes.
func decode(path []byte) ([]byte, bool) {
	if bytes.IndexByte(path, '%') >= 0 {
		text, err := url.PathUnescape(string(path))
		if err != nil || strings.Count(text, "/") != bytes.Count(path, []byte("/")) {
			return nil, false
		}
		path = []byte(text)
	}
	for _, c := range path {
		if c < ' ' || c == 0x7f || c == '\\' {
			return nil, false
		}
	}
	return path, true
}

// lastSegment returns the part after the last slash. It returns false if any segment
// is empty or begins with a dot.
func lastSegment(name []byte) (last []byte, ok bool) {
	for more := true; more; {
		last, name, more = bytes.Cut(name, []byte("/"))
		if len(last) == 0 || last[0] == '.' {
			return nil, false
		}
	}
	return last, true
}

// extension returns the part after the last dot in lower case. It returns an empty
// string for a part that is longer than all known extensions.
func extension(segment []byte) []byte {
	ext := segment[bytes.LastIndexByte(segment, '.')+1:]
	if len(ext) == len(segment) || len(ext) > len("webmanifest") {
		return nil
	}
	if bytes.ContainsAny(ext, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return bytes.ToLower(ext)
	}
	return ext
}

// hashLength is the length of the hashes that Vite puts in names.
const hashLength = 8

// isHashed reports whether a file of the build never changes: its name ends in a dash
// and a hash before the extension. A hash may contain dashes. It contains a letter,
// and a digit or a capital, so that plain words and dates are not hashes.
func isHashed(name []byte) bool {
	stem, ok := bytes.CutPrefix(name, []byte(assetsFolder))
	dot := bytes.LastIndexByte(stem, '.')
	if !ok || dot < 0 {
		return false
	}
	stem = stem[:dot]
	if at := len(stem) - hashLength; at > 0 && stem[at-1] == '-' && isHash(stem[at:]) {
		return true
	}
	dash := bytes.LastIndexByte(stem, '-')
	return dash >= 0 && len(stem)-dash > hashLength && isHash(stem[dash+1:])
}

func isHash(text []byte) bool {
	letter, mixed := false, false
	for _, c := range text {
		switch {
		case 'a' <= c && c <= 'z':
			letter = true
		case 'A' <= c && c <= 'Z':
			letter, mixed = true, true
		case '0' <= c && c <= '9':
			mixed = true
		case c != '-' && c != '_':
			return false
		}
	}
	return letter && mixed
}
