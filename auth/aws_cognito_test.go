package auth

import (
	"maps"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/platform"
)

func cognitoBlock() *AWSCognito {
	return &AWSCognito{IdentityPoolID: awsPool, DeveloperProvider: awsProvider}
}

// The login of an application is its client id, unless it is configured, so applications of one pool have identities of their own.
func TestCognitoSignsIn(t *testing.T) {
	w := newAWSWorld(t, nil)
	w.useKey(w.account.NewSession(awsRole, time.Hour))
	w.cognito = cognitoBlock()
	m := w.start()
	w.wantToken(m, "entra_id", directoryApp)
	w.wantToken(m, "outlook_mail", mailApp)
	m.applications["entra_id"].held.Store(nil)
	w.wantToken(m, "entra_id", directoryApp)
	if stats := w.account.Stats(); stats.Tokens != 3 || len(stats.Refused) != 0 {
		t.Errorf("AWS: %+v, want an assertion for each token", stats)
	}
	if cognito, sts := w.requests("cognito-identity.eu-central-1.amazonaws.com"), w.requests("sts.eu-central-1.amazonaws.com"); cognito != 3 || sts != 0 {
		t.Errorf("%d requests to Cognito and %d to STS", cognito, sts)
	}
}

func TestCognitoIdentity(t *testing.T) {
	w := newAWSWorld(t, nil)
	w.useKey(w.account.NewSession(awsRole, time.Hour))
	w.cognito = cognitoBlock()
	w.cognito.Login = directoryApp
	w.cognito.IdentityID = w.account.Identity(awsPool, awsProvider, directoryApp)
	m := w.start()
	w.wantToken(m, "entra_id", directoryApp)
	// The other application asks for the same identity, which its federated credential does not have.
	if failure := w.wantError(m, "outlook_mail", CodeRejected); failure.AADSTS != 700213 {
		t.Errorf("AADSTS%d, want 700213", failure.AADSTS)
	}
}

func TestCognitoRefusals(t *testing.T) {
	good := func(w *awsWorld) { w.useKey(w.account.NewSession(awsRole, time.Hour)) }
	const otherPool = "eu-central-1:ffffffff-4b5a-6978-8796-a5b4c3d2e1f0"
	for _, test := range []struct {
		name   string
		adjust func(*platform.AWSConfig, *entra.FederatedCredential)
		change func(*awsWorld)
		code   string // over the wire
		detail string
	}{
		{"key that is gone", nil, func(w *awsWorld) {
			key := w.account.NewKey(awsRole)
			w.useKey(key)
			w.account.Forget(key.ID)
		}, "UnrecognizedClientException", "aws_bad_credentials"},
		{"wrong secret", nil, func(w *awsWorld) {
			key := w.account.NewKey(awsRole)
			key.Secret = w.account.NewKey(awsRole).Secret
			w.useKey(key)
		}, "InvalidSignatureException", "aws_bad_credentials"},
		{"expired credentials", nil, func(w *awsWorld) { w.useKey(w.account.NewSession(awsRole, -time.Minute)) }, "ExpiredTokenException", "aws_expired"},
		{"pool that the role may not use", nil, func(w *awsWorld) {
			good(w)
			w.cognito.IdentityPoolID = otherPool
		}, "AccessDeniedException", "aws_access_denied"},
		{"unknown pool", func(c *platform.AWSConfig, _ *entra.FederatedCredential) { c.Roles[0].Pools = []string{otherPool} }, func(w *awsWorld) {
			good(w)
			w.cognito.IdentityPoolID = otherPool
		}, "ResourceNotFoundException", "aws_pool_unknown"},
		{"unknown provider", nil, func(w *awsWorld) {
			good(w)
			w.cognito.DeveloperProvider = "another"
		}, "InvalidParameterException", "aws_rejected"},
		{"identity of another login", nil, func(w *awsWorld) {
			good(w)
			w.cognito.IdentityID = w.account.Identity(awsPool, awsProvider, mailApp)
		}, "DeveloperUserAlreadyRegisteredException", "aws_identity_mismatch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newAWSWorld(t, test.adjust)
			w.cognito = cognitoBlock()
			test.change(w)
			w.wantFailure(w.start(), test.detail)
			if refused := w.account.Stats().Refused; !maps.Equal(refused, map[string]int{test.code: 1}) {
				t.Errorf("AWS refused %v, want one %s", refused, test.code)
			}
		})
	}
	t.Run("throttled", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		good(w)
		w.cognito = cognitoBlock()
		w.account.Throttle(100)
		w.wantFailure(w.start(), "aws_throttled")
	})
	t.Run("clock", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		w.clock = 10 * time.Minute
		good(w)
		w.cognito = cognitoBlock()
		w.wantToken(w.start(), "entra_id", directoryApp)
	})
	t.Run("pool that Entra does not trust", func(t *testing.T) {
		w := newAWSWorld(t, func(c *platform.AWSConfig, _ *entra.FederatedCredential) {
			c.Pools = append(c.Pools, platform.IdentityPool{ID: otherPool, DeveloperProvider: awsProvider})
			c.Roles[0].Pools = []string{otherPool}
		})
		good(w)
		w.cognito = cognitoBlock()
		w.cognito.IdentityPoolID = otherPool
		if failure := w.wantError(w.start(), "entra_id", CodeRejected); failure.AADSTS != 700212 {
			t.Errorf("AADSTS%d, want 700212", failure.AADSTS)
		}
	})
}
