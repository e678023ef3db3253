package main

import (
	"crypto/tls"
	"encoding/json"
	"net/url"
	"testing"
)

const (
	readerID = "spiffe://example.org/reader"
	otherID  = "spiffe://example.org/other"
)

// callerPolicy lets one caller read, and says no to everyone else.
const callerPolicy = `package graphveil.custom

deny contains "caller_not_known" if not input.caller.spiffe_id

deny contains "caller_not_the_reader" if input.caller.spiffe_id != "` + readerID + `"
`

// TestCaller: the policy sees who calls by the client certificate that Envoy
// verified, and by nothing that the client says.
func TestCaller(t *testing.T) {
	for _, certificates := range []string{"optional", "required"} {
		t.Run(certificates, func(t *testing.T) {
			l := newLab(t, nil)
			l.config.Envoy.TLS.ClientCAFile = l.caFile
			l.config.Envoy.TLS.ClientCertificate = certificates
			l.write("policy/custom.rego", callerPolicy)
			l.config.Policy.Paths = []string{"builtin", l.file("policy")}
			r := l.start()
			reader, err := l.CA.Issue(readerID)
			l.check(err)
			other, err := l.CA.Issue(otherID)
			l.check(err)
			unnamed, err := l.CA.Issue("reader.example.org")
			l.check(err)
			stranger, err := newLab(t, nil).CA.Issue(readerID)
			l.check(err)

			const denied = "403 denied_by_policy"
			anonymous := denied
			if certificates == "required" {
				anonymous = endHandshake
			}
			for _, protocol := range protocols {
				for _, test := range []struct {
					name, want string
					config     *tls.Config
				}{
					{"the reader", "200", l.tls(reader)},
					{"another", denied, l.tls(other)},
					{"a certificate without SPIFFE id", denied, l.tls(unnamed)},
					{"a certificate of a strange authority", endHandshake, l.tls(stranger)},
					{"no certificate", anonymous, l.tls()},
				} {
					t.Run(protocol+"/"+test.name, func(t *testing.T) {
						l.Graph.ForgetRequests()
						response := call(t, r.address, test.config, wireCall{protocol: protocol, target: "/v1.0/users", fields: [][2]string{
							{"x-forwarded-client-cert", "By=x;URI=" + readerID}, // is no proof
						}})
						// With TLS 1.3 the client learns after its handshake that it was refused.
						if got := response.String(); got != test.want && !(test.want == endHandshake && response.status == 0) {
							t.Errorf("got %s, want %s", got, test.want)
						}
						if n := len(l.Graph.Requests()); (n == 1) != (test.want == "200") {
							t.Errorf("%d requests arrived upstream", n)
						}
					})
				}
			}
		})
	}
}

// TestCallerOfLink: a page link of one caller is none for another, with a
// certificate or without.
func TestCallerOfLink(t *testing.T) {
	l := newLab(t, nil)
	l.config.Envoy.TLS.ClientCAFile, l.config.Envoy.TLS.ClientCertificate = l.caFile, "optional"
	r := l.start()
	reader, err := l.CA.Issue(readerID)
	l.check(err)
	other, err := l.CA.Issue(otherID)
	l.check(err)
	for _, protocol := range protocols {
		first := call(t, r.address, l.tls(reader), wireCall{protocol: protocol, target: "/v1.0/users?$top=2"})
		var page struct {
			Next string `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal(first.body, &page); err != nil || page.Next == "" {
			t.Fatalf("%s: no link: %v, %s", protocol, err, &first)
		}
		link, err := url.Parse(page.Next)
		l.check(err)
		for name, test := range map[string]struct {
			config *tls.Config
			want   string
		}{
			"the caller itself": {l.tls(reader), "200"},
			"another":           {l.tls(other), "400 link_not_valid"},
			"nobody":            {l.tls(), "400 link_not_valid"},
		} {
			response := call(t, r.address, test.config, wireCall{protocol: protocol, target: link.RequestURI()})
			if response.String() != test.want {
				t.Errorf("%s, %s: got %s, want %s", protocol, name, &response, test.want)
			}
		}
	}
}
