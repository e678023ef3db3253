package auth

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"software.sslmate.com/src/go-pkcs12"
)

// keyPair is a certificate and its key, never changed once made.
type keyPair struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

func (k *keyPair) credential() (confidential.Credential, error) {
	return confidential.NewCredFromCert([]*x509.Certificate{k.certificate}, k.key)
}

// lives reports whether the certificate has not ended. Safe on nil.
func (k *keyPair) lives(now time.Time) bool { return k != nil && now.Before(k.certificate.NotAfter) }

// daysLeft are the whole days until the certificate ends.
func (k *keyPair) daysLeft(now time.Time) int {
	return int(k.certificate.NotAfter.Sub(now) / (24 * time.Hour))
}

// parsePair reads a pair from PKCS#12, or from PEM with the key in a file of its own or in the same one. The error is a *credentialError:
// what parsers say may quote what they read.
func parsePair(file, keyFile []byte, password string) (*keyPair, error) {
	var certificates []*x509.Certificate
	var keys []crypto.PrivateKey
	if isDER(file) {
		if keyFile != nil {
			return nil, &credentialError{detail: "key_file_with_pkcs12"}
		}
		key, certificate, others, err := pkcs12.DecodeChain(file, password)
		switch {
		case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
			return nil, &credentialError{detail: "wrong_password"}
		case err != nil:
			return nil, &credentialError{detail: "malformed_pkcs12"}
		}
		certificates, keys = append(certificates, certificate), append(keys, key)
		certificates = append(certificates, others...)
	} else {
		for _, content := range [][]byte{file, keyFile} {
			moreCertificates, moreKeys, err := parsePEM(content)
			if err != nil {
				return nil, err
			}
			certificates, keys = append(certificates, moreCertificates...), append(keys, moreKeys...)
		}
	}
	switch {
	case len(certificates) == 0:
		return nil, &credentialError{detail: "no_certificate"}
	case len(keys) == 0:
		return nil, &credentialError{detail: "no_private_key"}
	case len(keys) > 1:
		return nil, &credentialError{detail: "several_private_keys"}
	}
	key, ok := keys[0].(*rsa.PrivateKey)
	if !ok {
		return nil, &credentialError{detail: "key_not_rsa"}
	}
	for _, certificate := range certificates {
		if public, ok := certificate.PublicKey.(*rsa.PublicKey); ok && public.Equal(key.Public()) {
			return &keyPair{certificate, key}, nil
		}
	}
	return nil, &credentialError{detail: "key_mismatch"}
}

// isDER tells binary from PEM: a PKCS#12 file is one DER sequence (RFC 7292 section 4).
func isDER(content []byte) bool { return bytes.HasPrefix(content, []byte{0x30}) }

// parsePEM collects certificates and private keys, and passes over blocks of other kinds.
func parsePEM(content []byte) (certificates []*x509.Certificate, keys []crypto.PrivateKey, err error) {
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			return certificates, keys, nil
		}
		var key crypto.PrivateKey
		switch _, encrypted := block.Headers["DEK-Info"]; {
		case encrypted, block.Type == "ENCRYPTED PRIVATE KEY":
			return nil, nil, &credentialError{detail: "key_encrypted"}
		case block.Type == "CERTIFICATE":
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, &credentialError{detail: "malformed_pem"}
			}
			certificates = append(certificates, certificate)
			continue
		case block.Type == "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case block.Type == "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case block.Type == "EC PRIVATE KEY":
			return nil, nil, &credentialError{detail: "key_not_rsa"}
		default:
			continue
		}
		if err != nil {
			return nil, nil, &credentialError{detail: "malformed_pem"}
		}
		keys = append(keys, key)
	}
}
