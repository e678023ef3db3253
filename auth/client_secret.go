package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
)

// ClientSecret signs in with a password of the application
// (learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#first-case-access-token-request-with-a-shared-secret).
// It is for trying out and for what nothing else works: a secret goes over the wire with each token request, and every other block is
// safer. The configuration has to acknowledge that.
type ClientSecret struct {
	// File holds the secret's value; a line break at its end does not count. Required. It is read again for each token request.
	File string `yaml:"file"`
	// AcknowledgeRisk is, word by word, the sentence that the error for anything else prints. Required.
	AcknowledgeRisk string `yaml:"acknowledge_risk"`
}

// secretRisk is the sentence for AcknowledgeRisk.
const secretRisk = "a secret can be copied and used from anywhere"

// maxSecret bounds a secret or a password, in bytes. Those that Entra makes have 40.
const maxSecret = 4 << 10

func (c *ClientSecret) validate(Cloud) error {
	switch {
	case c.File == "":
		return errors.New("no file\nhint: file names the file that holds the secret; it cannot stand in the configuration")
	case c.AcknowledgeRisk != secretRisk:
		return errors.New("a secret is the weakest way to sign in\nhint: use a block for the platform or certificate; or write, next to file, acknowledge_risk: " + secretRisk)
	}
	return nil
}

func (c *ClientSecret) prover(n network, clientID string) (prover, error) {
	logger := n.logger.With("client_id", clientID)
	logger.Warn("signing in with a client secret: use a federated credential of the platform (kubernetes, aws, gcp, azure, spiffe) or a certificate instead")
	return &secretProver{path: c.File, logger: logger}, nil
}

// secretProver is used by one goroutine at a time.
type secretProver struct {
	path    string
	logger  *slog.Logger
	current string // empty before the first
}

// credential keeps the secret that it has while the file cannot be read, as it is between the two steps of a careless replacement.
func (p *secretProver) credential(context.Context) (confidential.Credential, bool, error) {
	before := p.current
	secret, err := readSecret(p.path)
	var failed *credentialError
	switch {
	case errors.As(err, &failed) && p.current != "":
		p.logger.Warn("secret file cannot be used, so the secret read before stays in use", "detail", failed.detail)
	case err != nil:
		return confidential.Credential{}, false, err
	case secret != p.current:
		p.current = secret
		warnIfOpen(p.logger, p.path)
	}
	credential, err := confidential.NewCredFromSecret(p.current)
	return credential, p.current != before, err
}

func readSecret(path string) (string, error) {
	content, err := readSecretFile(path, maxSecret)
	if err != nil {
		return "", err
	}
	secret := string(bytes.TrimRight(content, "\r\n"))
	switch {
	case secret == "":
		return "", &credentialError{detail: "empty"}
	case !isHeaderSafe(secret): // Entra's are of visible ASCII: this is another kind of file
		return "", &credentialError{detail: "not_a_secret"}
	}
	return secret, nil
}
