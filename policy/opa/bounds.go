package opa

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/config"
	"github.com/open-policy-agent/opa/v1/tracing"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/graphveil/graphveil/policy"
)

// bounds is how many bytes a bundle may have unpacked, before anybody knows who made
// it. OPA bounds each file of one by its size_limit_bytes, but not all of them, and
// for discovery and bundle files not even that.
type bounds struct{ unpacked atomic.Int64 }

// observe takes the largest size_limit_bytes that a configuration has, if that is more
// than what there is already.
func (b *bounds) observe(c *config.Config) {
	var bundles map[string]*struct {
		Limit json.Number `json:"size_limit_bytes"`
	}
	most := max(policy.MaxUnpacked, b.unpacked.Load())
	if given(c.Bundles) && util.Unmarshal(c.Bundles, &bundles) == nil {
		for _, one := range bundles {
			if one == nil {
				continue
			}
			if n, err := one.Limit.Int64(); err == nil {
				most = max(most, n)
			}
		}
	}
	b.unpacked.Store(most)
}

// transports makes OPA's HTTP clients bound the bundles that they fetch, once. It is
// how OPA is extended, for the whole process; clients that have no bounds of ours are
// as ever.
var transports = sync.OnceFunc(func() { tracing.RegisterHTTPTracing(wrapper{}) })

// wrapper implements tracing.HTTPTracingService, which wraps the transport of a client.
type wrapper struct{}

// NewTransport implements tracing.HTTPTracingService.
func (wrapper) NewTransport(next http.RoundTripper, options tracing.Options) http.RoundTripper {
	for _, option := range options {
		if b, ok := option.(*bounds); ok {
			return transport{next, b}
		}
	}
	return next
}

// NewHandler implements tracing.HTTPTracingService. There is no server of OPA here.
func (wrapper) NewHandler(h http.Handler, _ string, _ tracing.Options) http.Handler { return h }

type transport struct {
	next   http.RoundTripper
	bounds *bounds
}

// RoundTrip implements http.RoundTripper. All that OPA gets is bundles.
func (t transport) RoundTrip(q *http.Request) (*http.Response, error) {
	r, err := t.next.RoundTrip(q)
	if err == nil && q.Method == http.MethodGet && r.StatusCode == http.StatusOK {
		r.Body = &body{ReadCloser: r.Body, limit: t.bounds.unpacked.Load()}
	}
	return r, err
}

// body is a bundle, which was read whole before its first byte is given.
type body struct {
	io.ReadCloser
	limit int64
	whole io.Reader
	err   error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.whole == nil && b.err == nil {
		var file []byte
		file, b.err = policy.ReadArchive(b.ReadCloser, b.limit)
		b.whole = bytes.NewReader(file)
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.whole.Read(p)
}
