package auth

import (
	"context"
	"crypto/sha1" // what Entra's admin center shows of a certificate
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	msalerrors "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
)

// Certificate signs in with the key of a certificate that is registered on the application: MSAL signs a short-lived assertion with it
// for each token request (learn.microsoft.com/entra/identity-platform/certificate-credentials). The key never leaves the process, but
// whoever can read its file is the application: a federated credential is better where the platform has one.
//
// The files are read for each token request, so a new certificate is in use from the next one on. Register it on the application first.
// While what the files hold cannot be used (half written, of two different pairs, not valid yet), or Entra does not take it, the certificate
// before stays in use for as long as it is valid; each token request tries the new one first.
type Certificate struct {
	// File holds the certificate and its key, as PEM (PKCS#1 or PKCS#8, not encrypted; further certificates are passed over) or as PKCS#12.
	// Entra takes RSA keys alone. Required.
	File string `yaml:"file"`
	// KeyFile holds the key in PEM, where File has only the certificate. Empty: File has both.
	KeyFile string `yaml:"key_file"`
	// PasswordFile holds the password of a PKCS#12 file; a line break at its end does not count. Empty: there is no password.
	PasswordFile string `yaml:"password_file"`
}

func (c *Certificate) validate(Cloud) error {
	switch {
	case c.File == "":
		return errors.New("no file\nhint: file names the PEM or PKCS#12 file that holds the certificate")
	case c.KeyFile != "" && c.PasswordFile != "":
		return errors.New("has both key_file and password_file\nhint: key_file is for PEM, whose keys are not encrypted; a PKCS#12 file holds the key itself")
	}
	return nil
}

func (c *Certificate) prover(n network, clientID string) (prover, error) {
	return &certificateProver{files: *c, logger: n.logger.With("client_id", clientID)}, nil
}

const (
	// expiryNotice is how long before its end a certificate is warned about, once a day.
	expiryNotice = 30 * 24 * time.Hour
	// maxCertificateFile bounds each file, in bytes. A chain with a key is a few kilobytes.
	maxCertificateFile = 256 << 10
)

// certificateProver is used by one goroutine at a time, but for expiry.
type certificateProver struct {
	files  Certificate
	logger *slog.Logger

	sum     [sha256.Size]byte // of the files that current was read from
	current *keyPair          // nil until the first that could be read
	given   *keyPair          // the one that MSAL has
	taken   *keyPair          // the last that Entra gave a token for
	refused bool              // Entra refused current a moment ago: it is the turn of taken, if there is another
	noticed time.Time         // when the end of one was last warned of
	ends    atomic.Pointer[time.Time]
}

func (p *certificateProver) credential(context.Context) (confidential.Credential, bool, error) {
	now := time.Now()
	if err := p.read(now); err != nil {
		var failed *credentialError
		if !errors.As(err, &failed) || !p.current.lives(now) {
			return confidential.Credential{}, false, err
		}
		p.logger.Warn("certificate files cannot be used, so the certificate read before stays in use", "detail", failed.detail, "days_left", p.current.daysLeft(now))
	}
	pair := p.current
	if p.refused && p.taken.lives(now) {
		pair = p.taken
		p.logger.Warn("certificate was refused by Entra, so the one that it took before is tried: register the new one on the application", "days_left", pair.daysLeft(now))
	}
	p.refused = false
	p.ends.Store(&pair.certificate.NotAfter)
	if !pair.lives(now) {
		return confidential.Credential{}, false, &credentialError{detail: "certificate_expired"}
	}
	if pair.certificate.NotAfter.Sub(now) <= expiryNotice && now.Sub(p.noticed) >= 24*time.Hour {
		p.noticed = now
		p.logger.Warn("certificate expires soon: make another, register it on the application in Entra, then replace the files", "days_left", pair.daysLeft(now))
	}
	changed := pair != p.given
	p.given = pair
	credential, err := pair.credential()
	return credential, changed, err
}

// read makes what the files hold the current pair, unless they are what they were.
func (p *certificateProver) read(now time.Time) error {
	file, err := readSecretFile(p.files.File, maxCertificateFile)
	if err != nil {
		return err
	}
	var key, password []byte
	if p.files.KeyFile != "" {
		if key, err = readSecretFile(p.files.KeyFile, maxCertificateFile); err != nil {
			return err
		}
	}
	if p.files.PasswordFile != "" {
		if password, err = readSecretFile(p.files.PasswordFile, maxSecret); err != nil {
			return err
		}
	}
	sum := digest(file, key, password)
	if p.current != nil && sum == p.sum {
		return nil
	}
	pair, err := parsePair(file, key, strings.TrimRight(string(password), "\r\n"))
	if err != nil {
		return err
	}
	if p.current.lives(now) { // otherwise even a worse one is the one to speak of
		switch {
		case !pair.lives(now):
			return &credentialError{detail: "certificate_expired"}
		case now.Before(pair.certificate.NotBefore):
			return &credentialError{detail: "certificate_not_yet_valid"}
		}
	}
	p.sum, p.current, p.noticed = sum, pair, time.Time{}
	thumbprint := sha1.Sum(pair.certificate.Raw)
	p.logger.Info("certificate read", "thumbprint", strings.ToUpper(hex.EncodeToString(thumbprint[:])), "not_before", pair.certificate.NotBefore,
		"not_after", pair.certificate.NotAfter, "days_left", pair.daysLeft(now))
	for _, name := range []string{p.files.File, p.files.KeyFile, p.files.PasswordFile} {
		warnIfOpen(p.logger, name)
	}
	return nil
}

// expiry is when the certificate in use ends; zero before one was read. It may be called from any goroutine.
func (p *certificateProver) expiry() time.Time {
	if end := p.ends.Load(); end != nil {
		return *end
	}
	return time.Time{}
}

// answered notes what Entra said to the request with the pair that was given: failed is nil if it gave a token. A refusal for the sake of the
// certificate is remembered, and narrowed down to its dates where those are the cause. A certificate that was made a moment ago on a machine
// whose clock is ahead of Entra's is refused until Entra's clock has reached its start, with the same words as one that has expired; which
// of the two it is follows from the nearer end.
func (p *certificateProver) answered(failed *Error, err error) {
	if failed == nil {
		p.taken = p.given
		return
	}
	dates := failed.AADSTS == 1000502 || failed.AADSTS == 7000274
	if failed.Code != CodeRejected || !dates && failed.AADSTS != 700027 {
		return
	}
	p.refused = p.given == p.current && p.current != p.taken
	if !dates && !strings.Contains(err.Error(), "The key used is expired") {
		return
	}
	certificate, entra := p.given.certificate, entraTime(err)
	failed.Detail = "certificate_expired_for_entra"
	if entra.Sub(certificate.NotBefore) < certificate.NotAfter.Sub(entra) {
		failed.Detail = "certificate_not_yet_valid_for_entra"
	}
}

// entraTime is what Entra's clock showed when it answered, or ours if it did not say.
func entraTime(err error) time.Time {
	var call msalerrors.CallErr
	if errors.As(err, &call) && call.Resp != nil {
		if date, err := http.ParseTime(call.Resp.Header.Get("Date")); err == nil {
			return date
		}
	}
	return time.Now()
}

// digest tells the contents of files apart, wherever one ends and the next begins.
func digest(files ...[]byte) [sha256.Size]byte {
	h := sha256.New()
	for _, file := range files {
		sum := sha256.Sum256(file)
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// readSecretFile is readFile for a file that must not be longer than limit.
func readSecretFile(path string, limit int64) ([]byte, error) {
	content, err := readFile(path, limit)
	if err == nil && int64(len(content)) > limit {
		return nil, &credentialError{detail: "too_large"}
	}
	return content, err
}

// warnIfOpen tells when a file with a secret can be read by every user of the machine. It does not refuse it: in a container with one user
// that is how Kubernetes mounts secrets unless defaultMode says otherwise.
func warnIfOpen(logger *slog.Logger, path string) {
	if info, err := os.Stat(path); path != "" && err == nil && info.Mode().Perm()&0o007 != 0 {
		logger.Warn("a secret file is open to every user of this machine: take their rights away (chmod o=; in Kubernetes defaultMode: 0440 on the volume)")
	}
}
