package envoy_test

import (
	"crypto/elliptic"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/envoy"
)

func TestWarnings(t *testing.T) {
	key := curveKey(t, elliptic.P256())
	good := selfSigned(t, key, -time.Hour, time.Hour)
	open := good
	open.ClientCAFile = "ca.crt"
	for _, test := range []struct {
		listen string
		tls    envoy.TLS
		want   string
	}{
		{"", good, ""},
		{"127.0.0.1:8443", good, ""},
		{"[::1]:8443", good, ""},
		{"0.0.0.0:8443", good, "listen_open"},
		{"[::]:8443", good, "listen_open"},
		{"10.0.0.1:8443", good, "listen_open"},
		{"[::ffff:10.0.0.1]:8443", good, "listen_open"},
		{"0.0.0.0:8443", open, ""},
		{"", selfSigned(t, key, -2*time.Hour, -time.Hour), "certificate_expired"},
		{"", selfSigned(t, key, time.Hour, 2*time.Hour), "certificate_not_yet_valid"},
		{"0.0.0.0:8443", selfSigned(t, key, -2*time.Hour, -time.Hour), "listen_open certificate_expired"},
		{"0.0.0.0:8443", envoy.TLS{CertFile: "absent"}, "listen_open"},
	} {
		var got []string
		for _, w := range (envoy.Config{Listen: test.listen, TLS: test.tls}).Warnings(time.Now()) {
			got = append(got, w.Code)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q: %q, want %q", test.listen, got, test.want)
		}
	}
	if got := (envoy.Config{Listen: "0.0.0.0:8443", TLS: good, JWT: envoy.JWT{Issuer: "https://issuer.example"}}).Warnings(time.Now()); len(got) > 0 {
		t.Errorf("callers need a token: %v", got)
	}
}
