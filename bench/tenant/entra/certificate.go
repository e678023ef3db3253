package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // what x5t is made with (RFC 7515 section 4.1.7)
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// clockSkew is how far ahead of this server's clock the client's may be: a client writes its own time into nbf. Of the dates of the
// certificate nothing is forgiven.
const clockSkew = 5 * time.Minute

// Register adds a certificate to an application that exists, beside those that it has, as somebody does who replaces one.
func (s *Server) Register(clientID string, certificate *x509.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strings.ToLower(clientID)
	app := s.apps[id]
	app.Certificates = append(slices.Clip(app.Certificates), certificate)
	s.apps[id] = app
}

// Unregister takes a certificate from an application.
func (s *Server) Unregister(clientID string, certificate *x509.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := strings.ToLower(clientID)
	app := s.apps[id]
	app.Certificates = slices.DeleteFunc(slices.Clone(app.Certificates), certificate.Equal)
	s.apps[id] = app
}

// isSelfIssued reports whether an application signed the assertion with a key of its own: then iss is a client id, where every other
// issuer is a URL.
func isSelfIssued(claims jwt.Claims) bool { return !strings.Contains(claims.Issuer, "://") }

// checkCertificate says why an assertion that the application signed itself does not stand for it, or nil when it does
// (learn.microsoft.com/entra/identity-platform/certificate-credentials). Like Entra it finds the key first, holds the dates of the
// certificate against the clock next, and looks at signature and claims after that. An assertion that passes counts as used.
func (s *Server) checkCertificate(app App, endpoint, assertion string, token *jwt.JSONWebToken, claims jwt.Claims) *refusal {
	if !strings.EqualFold(claims.Issuer, app.ClientID) || !strings.EqualFold(claims.Subject, app.ClientID) {
		return &refusal{700021, http.StatusUnauthorized, "invalid_client",
			"Client assertion application identifier doesn't match 'client_id' parameter."}
	}
	if len(app.Certificates) == 0 {
		return &refusal{700026, http.StatusUnauthorized, "invalid_client", "Client application has no configured keys."}
	}
	certificate, named := findCertificate(app.Certificates, token.Headers[0])
	if certificate == nil {
		return certificateRefusal(app, "The certificate with identifier used to sign the client assertion is not registered on application.",
			"The key was not found.", named)
	}
	now := s.cfg.Now()
	if now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
		// One answer for both: users report "expired" for certificates that begin in Entra's future, too.
		const layout = "01/02/2006 15:04:05"
		return certificateRefusal(app, "The certificate with identifier used to sign the client assertion is expired on application.",
			"The key used is expired.", named, fmt.Sprintf("Found key 'Start=%s, End=%s'",
				certificate.NotBefore.UTC().Format(layout), certificate.NotAfter.UTC().Format(layout)))
	}
	if token.Claims(certificate.PublicKey, &claims) != nil {
		return certificateRefusal(app, "Client assertion contains an invalid signature.",
			"The provided signature value did not match the expected signature value.", named)
	}
	if len(claims.Audience) != 1 || !slices.Contains(selfIssuedAudiences(endpoint), claims.Audience[0]) {
		return &refusal{700023, http.StatusUnauthorized, "invalid_client", "Client assertion audience claim does not match Realm issuer."}
	}
	if !s.inTime(claims, clockSkew) {
		return s.outOfTime(claims)
	}
	if s.isReplay(assertion, claims) {
		return replayed(claims)
	}
	return nil
}

// certificateRefusal is AADSTS700027, which stands for everything that is wrong with a certificate; the reason says what.
func certificateRefusal(app App, what, reason string, details ...string) *refusal {
	details = slices.DeleteFunc(details, func(detail string) bool { return detail == "" })
	return &refusal{700027, http.StatusUnauthorized, "invalid_client", fmt.Sprintf(
		"%s [Reason - %s, Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '%s'.]",
		what, strings.Join(append([]string{reason}, details...), ", "), app.ClientID)}
}

// selfIssuedAudiences are the two forms that the documentation of certificate credentials has given for aud: the token endpoint, and the
// issuer of the tenant.
func selfIssuedAudiences(endpoint string) []string {
	return []string{endpoint, strings.TrimSuffix(endpoint, "/oauth2/v2.0/token") + "/v2.0"}
}

// findCertificate finds the certificate that the header names: by x5t#S256 or, as older clients do, by x5t. Where both are there, both
// must fit. named says what the client named, for the refusal.
func findCertificate(all []*x509.Certificate, header jose.Header) (found *x509.Certificate, named string) {
	long, short := thumbprint(header, "x5t#S256"), thumbprint(header, "x5t")
	if len(long)+len(short) == 0 {
		return nil, ""
	}
	named = "Thumbprint of key used by client: '" + strings.ToUpper(hex.EncodeToString(slices.Concat(long, short))) + "'"
	for _, certificate := range all {
		sum256, sum1 := sha256.Sum256(certificate.Raw), sha1.Sum(certificate.Raw)
		if (long == nil || slices.Equal(long, sum256[:])) && (short == nil || slices.Equal(short, sum1[:])) {
			return certificate, named
		}
	}
	return nil, named
}

// thumbprint decodes a thumbprint of the header. Base64url is the standard (RFC 7515 section 4.1.8); MSAL for Go writes the other
// alphabet with padding, and Entra takes it. What is neither comes back as it is, and fits no certificate.
func thumbprint(header jose.Header, name jose.HeaderKey) []byte {
	text, _ := header.ExtraHeaders[name].(string)
	if text == "" {
		return nil
	}
	for _, encoding := range []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding, base64.StdEncoding} {
		if sum, err := encoding.DecodeString(text); err == nil {
			return sum
		}
	}
	return []byte(text)
}

// SelfSigned makes a certificate for an application with this key, valid from start to end.
func SelfSigned(key *rsa.PrivateKey, start, end time.Time) (*x509.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "synthetic application"},
		NotBefore:    start,
		NotAfter:     end,
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// checkKeys refuses what nobody could have registered.
func (a App) checkKeys() error {
	for _, certificate := range a.Certificates {
		if _, ok := certificate.PublicKey.(*rsa.PublicKey); !ok { // Entra supports no other kind of key
			return fmt.Errorf("a certificate of %q has a key that is not RSA", a.ClientID)
		}
	}
	for _, secret := range a.Secrets {
		if secret.Value == "" {
			return fmt.Errorf("a secret of %q is empty", a.ClientID)
		}
	}
	return nil
}
