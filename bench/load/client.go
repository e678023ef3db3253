package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http2"
)

// client is the HTTP client behind an attack. It reaches the server without a proxy, follows no redirect, and counts what it reads.
type client struct {
	http    *http.Client
	run     context.Context
	timeout time.Duration
	pool    []*http.Transport // requests in turn
	next    atomic.Uint64
	accept  func(url string, bytes int64) bool
	bytes   atomic.Uint64

	mu      sync.Mutex
	failure string // the first one
}

// http2Transport keeps to one connection to each server, until the server allows no more streams on it; without the limit, Transport dials
// one for each of the first requests.
func http2Transport(config *tls.Config) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	return &http.Transport{TLSClientConfig: config, Protocols: protocols, DisableCompression: true, MaxConnsPerHost: 1}
}

// newClient makes a client whose requests end with ctx.
func newClient(ctx context.Context, c Config) *client {
	config := &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12}
	cl := &client{run: ctx, timeout: c.Timeout, accept: c.Accept}
	if c.HTTP2 {
		for range c.Connections {
			cl.pool = append(cl.pool, http2Transport(config.Clone())) // which it changes
		}
	} else {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(true)
		cl.pool = []*http.Transport{{
			TLSClientConfig: config, Protocols: protocols, DisableCompression: true,
			MaxConnsPerHost: c.Workers, MaxIdleConnsPerHost: c.Workers,
		}}
	}
	cl.http = &http.Client{
		Transport:     cl,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return cl
}

func (c *client) close() {
	for _, t := range c.pool {
		t.CloseIdleConnections()
	}
}

// take returns what was counted since the last call.
func (c *client) take() (bytes uint64, failure string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	failure, c.failure = c.failure, ""
	return c.bytes.Swap(0), failure
}

func (c *client) failed(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == "" {
		c.failure = fmt.Sprintf(format, args...)
	}
}

// RoundTrip implements http.RoundTripper.
func (c *client) RoundTrip(request *http.Request) (*http.Response, error) {
	delete(request.Header, "X-Vegeta-Seq") // the attacker's number, made for this request and nobody else's
	// Of its own, for http.Client.Timeout takes a goroutine for each request where it does not know the transport.
	ctx, cancel := context.WithTimeout(c.run, c.timeout)
	t := c.pool[c.next.Add(1)%uint64(len(c.pool))]
	response, err := t.RoundTrip(request.WithContext(ctx))
	if err != nil {
		c.failed("no answer: %s", describe(ctx, err))
		cancel()
		return nil, err
	}
	if !good(response.StatusCode) {
		c.failed("status %d", response.StatusCode)
	}
	response.Body = &countedBody{ReadCloser: response.Body, client: c, response: response, cancel: cancel}
	return response, nil
}

func good(status int) bool { return status >= http.StatusOK && status < http.StatusMultipleChoices }

var errLength = errors.New("reading the body: another length than expected")

// countedBody counts its bytes and judges their number at the end.
type countedBody struct {
	io.ReadCloser
	client   *client
	response *http.Response
	cancel   context.CancelFunc
	n        int64
	ended    bool
}

// Close implements io.Closer.
func (b *countedBody) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	b.client.bytes.Add(uint64(n))
	if err == nil || b.ended {
		return n, err
	}
	b.ended = true
	if err != io.EOF {
		b.client.failed("no whole body: %s", describe(b.response.Request.Context(), err))
		return n, err
	}
	if r := b.response; good(r.StatusCode) && b.client.accept != nil && !b.client.accept(r.Request.URL.String(), b.n) {
		b.client.failed("a body of %d bytes, which is not the length expected", b.n)
		return n, errLength
	}
	return n, err
}

// describe says what kind of error it is. Its text may hold addresses and what the peer wrote.
func describe(ctx context.Context, err error) string {
	var certificate *tls.CertificateVerificationError
	var operation *net.OpError
	var stream http2.StreamError
	var number syscall.Errno
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	case errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return "interrupted"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "cut short"
	case errors.As(err, &certificate):
		return "the certificate is not trusted"
	case errors.As(err, &stream):
		return "stream reset: " + stream.Code.String()
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &operation) && operation.Op == "remote error":
		return operation.Err.Error() // a TLS alert
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return fmt.Sprintf("%T", err)
}
