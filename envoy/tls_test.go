package envoy_test

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

const workload = "spiffe://example.org/ns/reports/sa/reader"

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	clients := envoytest.NewAuthority(t)
	good := clients.Issue(t, "reader", workload).TLS
	strange := envoytest.NewAuthority(t).Issue(t, "reader", workload).TLS
	for mode, withoutIsServed := range map[string]bool{"required": false, "": false, "optional": true} {
		t.Run("mode "+mode, func(t *testing.T) {
			s := &stub{}
			r := newRig(t, s, hello, func(c *envoy.Config) {
				c.TLS.ClientCAFile, c.TLS.ClientCertificate = clients.File, mode
			})
			for name, http2 := range protocols {
				t.Run(name, func(t *testing.T) {
					if got := send(t, r.Client(t, http2, good), "GET", r.URL+"/", "X-Forwarded-Client-Cert", "URI=spiffe://evil.example"); got.status != 200 {
						t.Fatalf("with a certificate: got %d", got.status)
					}
					if got := s.attribute("connection.uri_san_peer_certificate"); got != workload {
						t.Errorf("the processor saw SPIFFE id %q", got)
					}
					if got := s.attribute("connection.subject_peer_certificate"); got != "CN=reader" {
						t.Errorf("the processor saw subject %q", got)
					}
					if got, there := s.lastRequest()["x-forwarded-client-cert"]; there {
						t.Errorf("the processor saw a certificate that the caller made up: %q", got)
					}
					before := len(s.seen())
					response, err := r.Client(t, http2, strange).Get(r.URL + "/")
					if err == nil {
						response.Body.Close()
						t.Errorf("with a strange certificate: got %d", response.StatusCode)
					}
					response, err = r.Client(t, http2).Get(r.URL + "/")
					if err == nil {
						response.Body.Close()
					}
					if served := err == nil && response.StatusCode == 200; served != withoutIsServed {
						t.Errorf("without a certificate: served is %v, want %v (%v)", served, withoutIsServed, err)
					}
					if got := s.attribute("connection.uri_san_peer_certificate"); withoutIsServed && got != "" {
						t.Errorf("without a certificate: the processor saw SPIFFE id %q", got)
					}
					if !withoutIsServed && len(s.seen()) != before {
						t.Error("the processor was asked about a refused connection")
					}
				})
			}
		})
	}
}

func TestSourceAddressReachesProcessor(t *testing.T) {
	t.Parallel()
	s := &stub{}
	r := newRig(t, s, hello)
	send(t, r.Client(t, true), "GET", r.URL+"/", "X-Forwarded-For", "192.0.2.1", "X-Real-Ip", "192.0.2.1")
	if got := s.attribute("source.address"); len(got) < 10 || got[:10] != "127.0.0.1:" {
		t.Errorf("the processor saw source address %q", got)
	}
}

func TestOnlyModernTLS(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stub{}, hello)
	for version, want := range map[uint16]bool{
		tls.VersionTLS10: false,
		tls.VersionTLS11: false,
		tls.VersionTLS12: true,
		tls.VersionTLS13: true,
	} {
		conn, err := tls.Dial("tcp", r.Address(), &tls.Config{RootCAs: r.authority.Pool(), MinVersion: version, MaxVersion: version})
		if (err == nil) != want {
			t.Errorf("%s: got %v", tls.VersionName(version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
	// Nor does it speak without TLS.
	if response, err := http.Get("http://" + r.Address()); err == nil {
		response.Body.Close()
		t.Errorf("without TLS: got %d", response.StatusCode)
	}
}
