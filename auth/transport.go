package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// Ceilings of one exchange with Entra. Its answers are a few kilobytes and usually take a fraction of a second.
const (
	attemptTimeout     = 20 * time.Second // discovery and token request together
	connectTimeout     = 5 * time.Second
	responseTimeout    = 15 * time.Second // from the request to the answer's headers
	maxResponseHeader  = 64 << 10
	maxResponseBody    = 256 << 10
	idleConnectionTime = time.Minute
)

var (
	errTooLarge = errors.New("response is too large")
	errNotHTTPS = errors.New("request is not https")
)

// dialer opens a connection; tests replace the network.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newHTTPClient makes the only client that MSAL uses. It speaks TLS 1.2 or newer, follows no redirect (one would carry the assertion
// to another place), and ignores HTTPS_PROXY and its kin, as the Envoy beside it does: who needs a proxy routes transparently.
func newHTTPClient(caFile string, dial dialer) (*http.Client, error) {
	var roots *x509.CertPool // nil: the system's
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("reading ca_file: %w", err)
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, errors.New("reading ca_file: it holds no certificate")
		}
	}
	return &http.Client{
		Transport: boundedTransport{&http.Transport{
			Proxy:                  nil,
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    connectTimeout,
			ResponseHeaderTimeout:  responseTimeout,
			MaxResponseHeaderBytes: maxResponseHeader,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        idleConnectionTime,
			ForceAttemptHTTP2:      true,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// boundedTransport refuses plain HTTP (the token endpoint's URL comes from a document) and answers beyond maxResponseBody, which
// MSAL would read whole, decompressed.
type boundedTransport struct{ *http.Transport }

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, errNotHTTPS
	}
	response, err := t.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &boundedBody{response.Body, maxResponseBody}
	return response, nil
}

// boundedBody fails, rather than ends, when more than left bytes come.
type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if n > b.left {
		return 0, errTooLarge
	}
	b.left -= n
	return n, err
}
