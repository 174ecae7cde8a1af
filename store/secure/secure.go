// Package secure configures the encryption of connections to the database, and names the
// reason of a connection error that the encryption has caused.
package secure

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/dberror"
)

// TLS configures the encryption of connections.
type TLS struct {
	Mode Mode
	CA   string // PEM file of the authorities to trust; empty means the system's
	Cert string // PEM file of our certificate, if the account demands one
	Key  string // PEM file of its key
}

// Mode selects whether connections are encrypted and how the server is verified.
type Mode string

const (
	// Off never encrypts. The zero value means the same.
	Off Mode = "off"
	// Preferred encrypts if the server can, and does not verify it.
	Preferred Mode = "preferred"
	// Required encrypts always, and does not verify the server.
	Required Mode = "required"
	// Verify encrypts always and verifies the server's certificate and name.
	Verify Mode = "verify"
)

// Config returns the driver's configuration for a server; nil means no TLS. An
// empty name stands for a server on a Unix socket, whose certificate is verified
// without its name.
func (t TLS) Config(name string) (*tls.Config, error) {
	if t.Mode == Off || t.Mode == "" {
		return nil, nil
	}
	cfg := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.Mode != Verify}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("authorities to trust: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("authorities to trust: no certificate in %s", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate and key: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	if t.Mode == Verify && name == "" {
		cfg.InsecureSkipVerify = true
		cfg.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(cfg.RootCAs, state) }
	}
	return cfg, nil
}

// verifyChain verifies a server's certificate without its name.
func verifyChain(roots *x509.CertPool, state tls.ConnectionState) error {
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(opts)
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

// WithReason adds the reason to a connection error that TLS has caused, as far as the
// error shows it.
func WithReason(err error) error {
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var header tls.RecordHeaderError
	switch {
	case errors.Is(err, mysql.ErrNoTLS):
		return &dberror.SetupError{Reason: dberror.NoTLS, Err: err}
	case errors.As(err, &certificate), errors.As(err, &alert), errors.As(err, &header):
		return &dberror.SetupError{Reason: dberror.BadCertificate, Err: err}
	}
	return err
}
