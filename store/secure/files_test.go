package secure

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// identity is a certificate with its key, in files.
type identity struct {
	cert              *x509.Certificate
	key               *ecdsa.PrivateKey
	certFile, keyFile string
}

// newIdentity returns a certificate that by signs, or that signs itself.
func newIdentity(t *testing.T, name string, by *identity) *identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	parent, signer := cert, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	made := &identity{key: key, certFile: filepath.Join(t.TempDir(), "cert.pem"), keyFile: filepath.Join(t.TempDir(), "key.pem")}
	if made.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{made.certFile: {Type: "CERTIFICATE", Bytes: der}, made.keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return made
}

// TestFiles: the configuration trusts the authorities of the CA file only, and shows the
// certificate of its own files, which need each other.
func TestFiles(t *testing.T) {
	authority, own := newIdentity(t, "authority", nil), newIdentity(t, "own", nil)
	cfg, err := TLS{Mode: Required, CA: authority.certFile, Cert: own.certFile, Key: own.keyFile}.Config("db")
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(authority.cert)
	if !trusted.Equal(cfg.RootCAs) {
		t.Error("it trusts other authorities")
	}
	if len(cfg.Certificates) != 1 || !own.cert.Equal(cfg.Certificates[0].Leaf) {
		t.Errorf("it shows %d certificates", len(cfg.Certificates))
	}
	for name, half := range map[string]TLS{"no key": {Mode: Required, Cert: own.certFile}, "no certificate": {Mode: Required, Key: own.keyFile}, "another key": {Mode: Required, Cert: own.certFile, Key: authority.keyFile}} {
		if cfg, err := half.Config("db"); err == nil {
			t.Errorf("%s: %+v", name, cfg)
		}
	}
	cfg, err = TLS{Mode: Required, CA: authority.certFile}.Config("")
	if err != nil || cfg.VerifyConnection != nil || cfg.Certificates != nil {
		t.Errorf("without verification: %+v, %v", cfg, err)
	}
}

// TestChainWithoutAName: the certificate of a server on a Unix socket needs a chain to a
// trusted authority, which the server may send in part.
func TestChainWithoutAName(t *testing.T) {
	root := newIdentity(t, "authority", nil)
	between := newIdentity(t, "between", root)
	leaf := newIdentity(t, "server", between)
	cfg, err := TLS{Mode: Verify, CA: root.certFile}.Config("")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		sent []*x509.Certificate
		good bool
	}{
		"the chain":            {[]*x509.Certificate{leaf.cert, between.cert}, true},
		"signed by the root":   {[]*x509.Certificate{between.cert}, true},
		"a gap":                {[]*x509.Certificate{leaf.cert}, false},
		"another chain's part": {[]*x509.Certificate{leaf.cert, root.cert}, false},
		"signed by itself":     {[]*x509.Certificate{newIdentity(t, "authority", nil).cert}, false},
	} {
		err := cfg.VerifyConnection(tls.ConnectionState{PeerCertificates: tt.sent})
		var failure *tls.CertificateVerificationError
		if (err == nil) != tt.good || !tt.good && !errors.As(err, &failure) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
