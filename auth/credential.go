package auth

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
)

// Credential says how the process proves to Entra that it is an application. Exactly one block is set. All but the last two end in an
// assertion: a JWT of another issuer that a federated credential of the application trusts, so that there is no secret to keep
// (learn.microsoft.com/entra/workload-id/workload-identity-federation).
type Credential struct {
	Kubernetes   *Kubernetes   `yaml:"kubernetes"`
	AWS          *AWS          `yaml:"aws"`
	AWSCognito   *AWSCognito   `yaml:"aws_cognito"`
	GCP          *GCP          `yaml:"gcp"`
	Azure        *Azure        `yaml:"azure"`
	SPIFFE       *SPIFFE       `yaml:"spiffe"`
	File         *File         `yaml:"file"`
	Command      *Command      `yaml:"command"`
	Certificate  *Certificate  `yaml:"certificate"`
	ClientSecret *ClientSecret `yaml:"client_secret"`
}

// block is the configuration of one way to sign in.
type block interface {
	// validate fills in defaults, such as the cloud's audience, and says what cannot work. It does no I/O.
	validate(cloud Cloud) error
	// prover makes what an application's token requests are signed with. It does no I/O either: files and platforms are asked for each
	// token request.
	prover(n network, clientID string) (prover, error)
}

// prover gives what a token request is made with. An application asks for one at a time.
type prover interface {
	// credential returns MSAL's credential for the next request, and whether it is another than the last time, in which case MSAL's
	// client is made anew. The error is a *credentialError.
	credential(ctx context.Context) (c confidential.Credential, changed bool, err error)
}

// assertions is the prover of everything that ends in an assertion. MSAL calls it for each token request, with the context of that. An
// error is a *credentialError.
type assertions func(ctx context.Context) (string, error)

func (get assertions) credential(context.Context) (confidential.Credential, bool, error) {
	return confidential.NewCredFromAssertionCallback(func(ctx context.Context, _ confidential.AssertionRequestOptions) (string, error) {
		return get.ask(ctx)
	}), false, nil
}

// ask gets an assertion. No panic of an SDK gets out: its value may be what a platform answered.
func (get assertions) ask(ctx context.Context) (assertion string, err error) {
	defer func() {
		if recover() != nil {
			assertion, err = "", &credentialError{detail: "panic"}
		}
	}()
	return get(ctx)
}

// credentialError is a failure before Entra was asked for a token. It is told in a fixed word: never by what a file holds or a platform
// answers.
type credentialError struct {
	detail     string
	retryAfter time.Duration // asked for by the platform; 0 if it asked for nothing
}

func (e *credentialError) Error() string { return "getting credential: " + e.detail }

// compactJWT is the shape of a signed JWT (RFC 7515 section 3.1). Whether Entra trusts it is for Entra to say.
var compactJWT = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)

// maxAssertion bounds an assertion, in bytes. Projected service-account tokens are one to two kilobytes.
const maxAssertion = 64 << 10

// checkAssertion returns the assertion without the blanks around it.
func checkAssertion(text []byte) (string, error) {
	assertion := strings.TrimSpace(string(text))
	switch {
	case len(text) > maxAssertion:
		return "", &credentialError{detail: "too_large"}
	case assertion == "":
		return "", &credentialError{detail: "empty"}
	case !compactJWT.MatchString(assertion):
		return "", &credentialError{detail: "not_a_jwt"}
	}
	return assertion, nil
}

// block returns the one that is set, and its name in the configuration.
func (c Credential) block() (block, string, error) {
	var found block
	var name string
	var names []string
	value := reflect.ValueOf(c)
	for i := range value.NumField() {
		key := value.Type().Field(i).Tag.Get("yaml")
		names = append(names, key)
		if value.Field(i).IsNil() {
			continue
		}
		if found != nil {
			return nil, "", fmt.Errorf("credential has both %s and %s\nhint: leave one", name, key)
		}
		found, name = value.Field(i).Interface().(block), key
	}
	if found == nil {
		return nil, "", errors.New("no credential\nhint: credential takes one block of " + strings.Join(names, ", "))
	}
	return found, name, nil
}

// Kind is the name of the block that is set, such as "kubernetes"; empty if there is none, or more than one.
func (c Credential) Kind() string {
	_, name, _ := c.block()
	return name
}
