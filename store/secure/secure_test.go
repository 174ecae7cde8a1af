package secure

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/dberror"
)

// TestConfig: each mode verifies as much of the server as its name promises. Package pool
// tests them against a server.
func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		mode            Mode
		host            string
		none, trusts    bool // the driver's own check is off
		checksItsOwnWay bool
	}{
		{"", "db", true, false, false},
		{Off, "db", true, false, false},
		{Preferred, "db", false, true, false},
		{Required, "db", false, true, false},
		{Verify, "db", false, false, false},
		{Verify, "", false, true, true}, // a Unix socket has no name to check
	} {
		cfg, err := TLS{Mode: tt.mode}.Config(tt.host)
		if err != nil || (cfg == nil) != tt.none {
			t.Errorf("%q: %v, %v", tt.mode, cfg, err)
			continue
		}
		if cfg != nil && (cfg.InsecureSkipVerify != tt.trusts || cfg.ServerName != tt.host || (cfg.VerifyConnection != nil) != tt.checksItsOwnWay || cfg.MinVersion != tls.VersionTLS12) {
			t.Errorf("%q for %q: %+v", tt.mode, tt.host, cfg)
		}
	}
	for _, bad := range []TLS{{Mode: Verify, CA: "/nowhere"}, {Mode: Required, Cert: "/nowhere", Key: "/nowhere"}, {Mode: Verify, CA: "secure_test.go"}} {
		if cfg, err := bad.Config("db"); err == nil {
			t.Errorf("%+v: %v", bad, cfg)
		}
	}
}

// TestWithReason: an error that the encryption has caused gets its reason, and keeps its
// cause.
func TestWithReason(t *testing.T) {
	other := errors.New("other")
	for _, tt := range []struct {
		err  error
		want dberror.Reason
	}{
		{mysql.ErrNoTLS, dberror.NoTLS},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, dberror.BadCertificate},
		{tls.AlertError(42), dberror.BadCertificate},
		{tls.RecordHeaderError{}, dberror.BadCertificate},
	} {
		err := WithReason(fmt.Errorf("connect: %w", tt.err))
		if dberror.ReasonOf(err) != tt.want || !errors.Is(dberror.Wrap("connect", err), dberror.ErrSetup) {
			t.Errorf("%v: reason %d, want %d", err, dberror.ReasonOf(err), tt.want)
		}
	}
	if WithReason(nil) != nil || WithReason(other) != other {
		t.Error("an error without such a cause has changed")
	}
}
