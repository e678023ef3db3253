package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"
)

// TestGzipOnBothSides: what Graph compresses and what a client wants compressed
// are no concern of each other. Every client gets the same page.
func TestGzipOnBothSides(t *testing.T) {
	whole := ""
	for compression, asked := range map[string]string{"": "gzip", "gzip": "gzip", "none": "identity"} {
		l := newLab(t, nil)
		l.config.Envoy.Upstream.Compression = compression
		r := l.start()
		for _, protocol := range protocols {
			for _, accept := range []string{"gzip", "br", "identity", ""} {
				l.Graph.ForgetRequests()
				c := wireCall{protocol: protocol, target: "/v1.0/users?$top=20"}
				if accept != "" {
					c.fields = [][2]string{{"accept-encoding", accept}}
				}
				response := call(t, r.address, l.tls(), c)
				encoding, body := response.header["Content-Encoding"], string(response.body)
				if accept == "gzip" && len(encoding) == 1 && encoding[0] == "gzip" {
					body = unzipped(t, response.body)
				} else if len(encoding) > 0 || accept == "gzip" {
					t.Errorf("%q, %s, %q: encoded as %q", compression, protocol, accept, encoding)
				}
				if whole == "" {
					whole = body
				}
				if response.String() != "200" || body != whole || len(body) < 2000 {
					t.Errorf("%q, %s, %q: %s, %d bytes, at first it were %d", compression, protocol, accept, &response, len(body), len(whole))
				}
				if vary := response.header["Vary"]; len(vary) > 1 || len(vary) == 1 && vary[0] != "Accept-Encoding" || accept == "gzip" && len(vary) == 0 {
					t.Errorf("%q, %s, %q: Vary is %q", compression, protocol, accept, vary)
				}
				if got := l.Graph.Requests()[0].Header.Values("Accept-Encoding"); len(got) != 1 || got[0] != asked {
					t.Errorf("%q: Graph was asked for %q", compression, got)
				}
			}
		}
	}
}

// unzipped is what a client makes of one gzip member with nothing after it.
func unzipped(t *testing.T, body []byte) string {
	t.Helper()
	rest := bytes.NewReader(body)
	z, err := gzip.NewReader(rest)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	text, err := io.ReadAll(z)
	if err != nil || rest.Len() > 0 {
		t.Fatalf("%v, %d bytes behind it", err, rest.Len())
	}
	return string(text)
}
