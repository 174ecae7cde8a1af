package secure_test

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/store/secure"
)

func ExampleTLS_Config() {
	cfg, err := secure.TLS{Mode: secure.Required}.Config("db.example.org")
	fmt.Println(cfg.ServerName, cfg.InsecureSkipVerify, err)
	_, err = secure.TLS{Mode: secure.Verify, CA: "/nowhere.pem"}.Config("db.example.org")
	fmt.Println(err)
	// Output:
	// db.example.org true <nil>
	// authorities to trust: open /nowhere.pem: no such file or directory
}
