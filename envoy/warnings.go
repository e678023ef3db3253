package envoy

import (
	"crypto/tls"
	"net/netip"
	"time"
)

// Warning is something that works and yet is most often a mistake.
type Warning struct {
	// Code is one stable word, Hint a fixed sentence of what it means and what to do.
	Code, Hint string
}

// Warnings says what in c is most often a mistake. The certificate is read for its
// dates; that it cannot be read is no warning, for [Start] refuses it.
func (c Config) Warnings(now time.Time) []Warning {
	c = c.filled()
	var all []Warning
	if at, err := netip.ParseAddrPort(c.Listen); err == nil && !at.Addr().IsLoopback() && c.TLS.ClientCAFile == "" && c.JWT.Issuer == "" {
		all = append(all, Warning{"listen_open", "envoy.listen is not loopback and there is neither envoy.tls.client_ca_file nor envoy.jwt: whoever reaches the port reads all that the policy allows; ask callers for certificates or tokens, or let a network policy say who gets there"})
	}
	pair, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
	if err != nil || pair.Leaf == nil {
		return all
	}
	switch {
	case now.After(pair.Leaf.NotAfter):
		all = append(all, Warning{"certificate_expired", "the certificate in envoy.tls.cert_file has expired, so clients refuse it: replace the files"})
	case now.Before(pair.Leaf.NotBefore):
		all = append(all, Warning{"certificate_not_yet_valid", "the certificate in envoy.tls.cert_file is not valid yet, so clients refuse it: check it, and the clock of this machine"})
	}
	return all
}
