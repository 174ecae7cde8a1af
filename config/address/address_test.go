package address

import (
	"fmt"
	"strings"
	"testing"
)

// TestCheckShared holds the forms of the URL of a shared cache, and an error for each form
// that would connect to another server than intended, or to none.
func TestCheckShared(t *testing.T) {
	const one = "must be redis://host:port"
	for text, want := range map[string]string{
		"redis://h":                                  "",
		"redis://h:1/2":                              "",
		"rediss://u:p%20w@[::1]:6380":                "",
		"unix:///run/redis.sock":                     "",
		"redis://a:1?addr=b:2&addr=c":                "",
		"redis://a:1/0?addr=b:2":                     "",
		"redis://:p@a:1/3?addr=b:2&master_set=main":  "",
		"redis://a?master_set=m&sentinel_password=":  "",
		"redis://a?master_set=m&sentinel_username=s": "",
		"h:6379":                                        one,
		"redis://":                                      one,
		"redis://a,b":                                   one,
		"redis://a/x":                                   one,
		"redis://a?x=%zz":                               one,
		"redis://a#b":                                   one,
		"unix://run/redis.sock":                         one,
		"unix:///s?addr=b:2":                            "without parameters",
		"redis://a?max_retries=3":                       "no other parameters than addr, master_set",
		"redis://a?master_set=m&secret=x":               "no other parameters",
		"redis://a?master_set=m&master_set=n":           "must have master_set once",
		"redis://a?master_set=":                         "such as master_set=mymaster",
		"redis://a?addr=":                               "addr=host:port",
		"redis://a?addr=b:2,c:3":                        "addr=host:port",
		"redis://a?addr=u:secret@b:2":                   "addr=host:port",
		"redis://a?addr=b:0":                            "addr=host:port",
		"redis://a?sentinel_password=secret":            "must have master_set=name",
		"redis://a/2?addr=b:2":                          "which a cluster does not have",
		"redis://:secret@a?addr=b&sentinel_username=me": "must have master_set=name",
	} {
		err := CheckShared(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats it: %v", text, err)
		}
	}
}

func TestHosts(t *testing.T) {
	for text, want := range map[string]bool{"h": true, "a.b-c": true, "::1": true, "10.0.0.1": true, "": false, "a b": false, "-a": false, "a:1": false} {
		if got := IsHost(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	for text, want := range map[string]bool{"http://h": true, "http://h:1": true, "http://[::1]:1": true, "http://h:": false, "http://h:0": false, "http://h/": false, "http://u@h": false} {
		if got := IsOrigin(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// Several addresses are the nodes of a cluster, or Sentinels.
func ExampleCheckShared() {
	fmt.Println(CheckShared("redis://:password@node1:6379?addr=node2:6379&addr=node3:6379"))
	fmt.Println(CheckShared("redis://:password@node1:6379?addr=node2:6379&name=mymaster"))
	// Output:
	// <nil>
	// must have no other parameters than addr, master_set, sentinel_username, sentinel_password
}
