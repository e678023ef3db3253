package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// Upstream says how Graph is reached, as the sidecar's Envoy reaches it.
type Upstream struct {
	// Host is the name that is sent, and checked in the certificate.
	Host string
	// Address is host:port to connect to. Empty: Host, port 443.
	Address string
	// CAFile names a PEM file of the authorities of Graph's certificate. Empty: the system's.
	CAFile string
}

// probeTimeout bounds one probe. Graph answers most in a fraction of a second, a delta in some.
const probeTimeout = 30 * time.Second

// newClient makes the client for Graph. It follows no redirect, which would carry the token elsewhere, and ignores HTTPS_PROXY, as the
// sidecar does.
func newClient(u Upstream) (*http.Client, error) {
	var roots *x509.CertPool // nil: the system's
	if u.CAFile != "" {
		pem, err := os.ReadFile(u.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading envoy.upstream.ca_file: %w", err)
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, errors.New("reading envoy.upstream.ca_file: it holds no certificate")
		}
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: nil,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if u.Address != "" {
					address = u.Address
				}
				return dialer.DialContext(ctx, network, address)
			},
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// networkWord names the layer at which a request failed.
func networkWord(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "dns"
	case errors.As(err, &certificate), errors.As(err, &record):
		return "tls"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "connection"
}
