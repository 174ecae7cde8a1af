package pool

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql/driver"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/secure"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/relay"
)

// authority signs the certificates of a test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{dir: t.TempDir()}
	a.sign(t, "ca", &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// sign writes name.pem and name.key.
func (a *authority) sign(t *testing.T, name string, c *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.next++
	c.SerialNumber, c.NotBefore = big.NewInt(a.next), time.Now().Add(-time.Hour)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert == nil {
		a.key = key
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		a.file(name + ".pem"): {Type: "CERTIFICATE", Bytes: der}, a.file(name + ".key"): {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// TestTLS: every mode connects, or fails with the right reason, with accounts of
// different requirements.
func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	ca.sign(t, "server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, Subject: pkix.Name{CommonName: "server"}})
	ca.sign(t, "client", &x509.Certificate{Subject: pkix.Name{CommonName: "client"}})
	srv, err := mariadb.Start(mariadb.Options{Empty: true, TLS: &mariadb.Certificate{
		CA: ca.file("ca.pem"), Cert: ca.file("server.pem"), Key: ca.file("server.key")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	db := root(t, srv)
	relay.Start(t, net.JoinHostPort("127.0.0.2", strconv.Itoa(srv.Port)), net.JoinHostPort(srv.Host, strconv.Itoa(srv.Port)))
	trusted := secure.TLS{Mode: secure.Verify, CA: ca.file("ca.pem")}
	withCert := secure.TLS{Mode: secure.Required, Cert: ca.file("client.pem"), Key: ca.file("client.key")}
	const works, plain = dberror.Reason(250), dberror.Reason(251)
	for _, tt := range []struct {
		name, account string
		tls           secure.TLS
		change        func(*Options)
		want          dberror.Reason
	}{
		{"off", "", secure.TLS{}, nil, plain},
		{"off, by name", "", secure.TLS{Mode: secure.Off}, nil, plain},
		{"preferred", "", secure.TLS{Mode: secure.Preferred}, nil, works},
		{"required", "", secure.TLS{Mode: secure.Required}, nil, works},
		{"verify", "", trusted, nil, works},
		{"verify on the socket", "", trusted, func(o *Options) { o.Socket = srv.Socket }, works},
		{"an unknown authority", "", secure.TLS{Mode: secure.Verify}, nil, dberror.BadCertificate},
		{"an unknown authority on the socket", "", secure.TLS{Mode: secure.Verify}, func(o *Options) { o.Socket = srv.Socket }, dberror.BadCertificate},
		{"another name", "", trusted, func(o *Options) { o.Host = "localhost" }, dberror.BadCertificate},
		{"an account that demands TLS, without", "REQUIRE SSL", secure.TLS{}, nil, dberror.NeedsTLS},
		{"an account that demands TLS, with", "REQUIRE SSL", secure.TLS{Mode: secure.Preferred}, nil, works},
		{"a wrong password without TLS", "REQUIRE SSL", secure.TLS{}, func(o *Options) { o.Password = "x" }, dberror.Denied},
		{"an account that demands a certificate, without", "REQUIRE X509", secure.TLS{Mode: secure.Required}, nil, dberror.Denied},
		{"an account that demands a certificate, with", "REQUIRE X509", withCert, nil, works},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := account(t, srv, tt.account)
			opts.TLS = tt.tls
			if tt.change != nil {
				tt.change(&opts)
			}
			cipher := ""
			got := works
			err := open(t, opts).Read(t.Context(), "cipher", func(c *Conn) (err error) {
				cipher, err = cipherOf(c)
				return err
			})
			switch {
			case err != nil:
				if got = dberror.ReasonOf(err); !errors.Is(err, dberror.ErrSetup) {
					t.Errorf("%v is no wrong set-up", err)
				}
			case cipher == "":
				got = plain
			}
			if got != tt.want {
				t.Errorf("reason %d, want %d: %v", got, tt.want, err)
			}
		})
	}
	t.Run("a server that demands TLS", func(t *testing.T) {
		execute(t, db, "SET GLOBAL require_secure_transport = ON")
		defer execute(t, db, "SET GLOBAL require_secure_transport = OFF")
		if _, err := read(t.Context(), open(t, optionsOf(srv)), "SELECT 1"); !errors.Is(err, dberror.ErrSetup) || dberror.ReasonOf(err) != dberror.NeedsTLS {
			t.Errorf("%v, reason %d", err, dberror.ReasonOf(err))
		}
	})
	t.Run("a certificate that has expired", func(t *testing.T) {
		ca.sign(t, "server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(-time.Minute)})
		if !mariadb.Accepts(db, "FLUSH SSL") && !mariadb.Accepts(db, "ALTER INSTANCE RELOAD TLS") {
			t.Fatal("the server does not load its certificate again")
		}
		opts := optionsOf(srv)
		opts.TLS = trusted
		_, err := read(t.Context(), open(t, opts), "SELECT 1")
		if !errors.Is(err, dberror.ErrSetup) || dberror.ReasonOf(err) != dberror.BadCertificate || !strings.Contains(err.Error(), "expired") {
			t.Errorf("%v, reason %d", err, dberror.ReasonOf(err))
		}
	})
	for name, bad := range map[string]secure.TLS{
		"no file of authorities":   {Mode: secure.Verify, CA: ca.file("none")},
		"a key for authorities":    {Mode: secure.Verify, CA: ca.file("ca.key")},
		"no file of a certificate": {Mode: secure.Required, Cert: ca.file("none"), Key: ca.file("client.key")},
		"another key":              {Mode: secure.Required, Cert: ca.file("client.pem"), Key: ca.file("server.key")},
	} {
		if _, err := New(Options{Host: "127.0.0.1", TLS: bad}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// A server without TLS is used unencrypted if TLS is only preferred.
	opts := optionsOf(shared(t))
	opts.TLS.Mode = secure.Preferred
	mustRead(t, open(t, opts), "SELECT 1")
}

func cipherOf(c *Conn) (cipher string, err error) {
	err = c.Rows("SHOW STATUS LIKE 'Ssl_cipher'", nil, func(row []driver.Value) error {
		cipher = asText(row[1])
		return nil
	})
	return cipher, err
}
