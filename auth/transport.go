package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	errNotEntra = errors.New("request is to another host than the authority")
)

// dialer opens a connection.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// network is how this package reaches others. Tests replace it.
type network struct {
	dial   dialer
	roots  *x509.CertPool // of the platforms; nil: the system's
	logger *slog.Logger   // for what a credential has to tell besides its errors
}

// entra makes the only client that MSAL uses to sign in. It follows no redirect (one would carry the assertion to another place), and
// ignores HTTPS_PROXY and its kin, as the Envoy beside it does: who needs a proxy routes transparently. It posts to hosts of the cloud alone:
// the token endpoint's URL comes from a document, which for a tenant of another cloud names a host of that one.
func (n network) entra(caFile string, cloud Cloud) (*http.Client, error) {
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
	client := n.bounded(roots, false)
	client.Transport = credentialTransport{client.Transport, cloud}
	return client, nil
}

// credentialTransport sends what holds a credential, which is what MSAL posts, to the authority or another name of it alone.
type credentialTransport struct {
	http.RoundTripper
	cloud Cloud
}

func (t credentialTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet && !t.cloud.answersAt(r.URL) {
		return nil, errNotEntra
	}
	return t.RoundTripper.RoundTrip(r)
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] looks for.
func (t credentialTransport) CloseIdleConnections() {
	t.RoundTripper.(boundedTransport).CloseIdleConnections()
}

// client is for a platform's API or, where plain HTTP is allowed, its metadata service. It has the manners of the client for Entra.
func (n network) client(plainAllowed bool) *http.Client { return n.bounded(n.roots, plainAllowed) }

// bounded makes a client that speaks TLS 1.2 or newer and bounds the time and size of all that it does.
func (n network) bounded(roots *x509.CertPool, plainAllowed bool) *http.Client {
	return &http.Client{
		Transport: boundedTransport{&http.Transport{
			Proxy:                  nil,
			DialContext:            n.dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    connectTimeout,
			ResponseHeaderTimeout:  responseTimeout,
			MaxResponseHeaderBytes: maxResponseHeader,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        idleConnectionTime,
			ForceAttemptHTTP2:      true,
		}, plainAllowed},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// boundedTransport refuses plain HTTP (the token endpoint's URL comes from a document) unless it is allowed, as it is for
// metadata services, which are never posted to: an SDK posts to where AWS_ENDPOINT_URL says. And it refuses answers beyond maxResponseBody, which
// SDKs would read whole, decompressed.
type boundedTransport struct {
	*http.Transport
	plainAllowed bool
}

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && (!t.plainAllowed || r.Method == http.MethodPost) {
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
