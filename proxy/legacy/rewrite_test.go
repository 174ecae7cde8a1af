package legacy

import "testing"

func TestRelocate(t *testing.T) {
	const own = "http://127.0.0.1:8001"
	for _, tt := range []struct{ root, prefix, location, want string }{
		{own, "/api", own + "/feedback/", "/api/feedback/"},
		{own, "/api", own + "/feedback/?a=%20#b", "/api/feedback/?a=%20#b"},
		{own, "/api", own, "/api/"},
		{own, "/api", own + "?a", "/api/?a"},
		{own, "/api", "https://127.0.0.1:8001/x", "/api/x"},
		{own, "/api", "//127.0.0.1:8001/x", "/api/x"},
		{own, "/api", "/feedback/", "/api/feedback/"},
		{own, "/api", "/api/feedback/", "/api/feedback/"},
		{own, "/api", "/apis", "/api/apis"},
		{own, "/api", "https://www.example.org/x", "/api/x"},
		{own, "/api", "https://WWW.example.org:443/api/x", "/api/x"},
		{own, "", own + "/x", "/x"},
		{own, "", "/x", "/x"},
		{own, "", own + "//evil.example/", "/evil.example/"},
		{own, "", own + `/\evil.example/`, "/evil.example/"},
		{own, "", own + `\\evil.example/`, "/evil.example/"},
		{own, "/api", "https://elsewhere.example/x", "https://elsewhere.example/x"},
		{own, "/api", "https://127.0.0.1:8001@elsewhere.example/x", "https://127.0.0.1:8001@elsewhere.example/x"},
		{own, "/api", "//elsewhere.example/x", "//elsewhere.example/x"},
		{own, "/api", "http://127.0.0.1:9/x", "http://127.0.0.1:9/x"},
		{own, "/api", "mailto:x@127.0.0.1:8001", "mailto:x@127.0.0.1:8001"},
		{own, "/api", "next?page=2", "next?page=2"},
		{own, "/api", "/login?to=http://elsewhere.example//", "/api/login?to=http://elsewhere.example//"},
		{own + "/old", "/api", own + "/old/x", "/api/x"},
		{own + "/old", "/api", own + "/old", "/api/"},
		{own + "/old", "/api", own + "/x", "/api/x"},
		{own + "/old", "/api", "/older", "/api/older"},
		{"http://old.example", "/api", "http://OLD.example:80/x", "/api/x"},
	} {
		c := newClient(t, tt.root, Options{})
		if got := c.relocate(tt.location, tt.prefix, "www.example.org"); got != tt.want {
			t.Errorf("%s below %q: %s to %s, want %s", tt.root, tt.prefix, tt.location, got, tt.want)
		}
	}
}

func TestServeBelow(t *testing.T) {
	const servers = `"servers":[{"url":"/api"}]`
	for description, want := range map[string]string{
		`{"openapi":"3.1.0","paths":{}}`: `{` + servers + `,"openapi":"3.1.0","paths":{}}`,
		` { }`:                           ` {` + servers + ` }`,
		`{"a": {"servers":[1]}, "b":2}`:  `{` + servers + `,"a": {"servers":[1]}, "b":2}`,
		`{"a":1,"servers" : [{"url":"/"}] , "b":[1,{"c":"}"}]}`: `{"a":1,"servers" : [{"url":"/api"}] , "b":[1,{"c":"}"}]}`,
		`{"servers":null}`:            `{` + servers + `}`,
		`{"a":"servers","servers":7}`: `{"a":"servers",` + servers + `}`,
		`[]`:                          `[]`,
		`{"a":`:                       `{"a":`,
		``:                            ``,
		`null`:                        `null`,
	} {
		if got := string(serveBelow([]byte(description), "/api")); got != want {
			t.Errorf("%s:\n%s\n%s", description, got, want)
		}
	}
}
