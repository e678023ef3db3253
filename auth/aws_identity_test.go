package auth

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/platform"
)

// The token of a service account (EKS: IAM roles for service accounts) is exchanged for credentials, and those for the assertion.
func TestAWSWebIdentity(t *testing.T) {
	for _, test := range []struct {
		name, subject, audience string
		lifetime                time.Duration
		detail                  string // empty: a Graph token
	}{
		{"trusted", subject, "sts.amazonaws.com", time.Hour, ""},
		{"another service account", "system:serviceaccount:default:default", "sts.amazonaws.com", time.Hour, "aws_access_denied"},
		{"another audience", subject, entra.Audience, time.Hour, "aws_bad_credentials"},
		{"expired", subject, "sts.amazonaws.com", -time.Minute, "aws_expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newAWSWorld(t, nil)
			file := filepath.Join(t.TempDir(), "token")
			if err := clusterIssuer().WriteProjectedToken(file, test.subject, test.audience, test.lifetime); err != nil {
				t.Fatal(err)
			}
			token, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w.secret(string(token))
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
			t.Setenv("AWS_ROLE_ARN", awsRole)
			m := w.start()
			if test.detail != "" {
				w.wantFailure(m, test.detail)
				return
			}
			w.wantToken(m, "entra_id", directoryApp)
			m.applications["entra_id"].held.Store(nil)
			w.wantToken(m, "entra_id", directoryApp)
			if stats := w.account.Stats(); stats.Sessions != 1 || stats.Tokens != 2 {
				t.Errorf("AWS: %+v, want one session for both assertions", stats)
			}
		})
	}
	t.Run("credentials that are about to expire", func(t *testing.T) {
		w := newAWSWorld(t, func(c *platform.AWSConfig, _ *entra.FederatedCredential) { c.SessionLifetime = 4 * time.Minute })
		file := filepath.Join(t.TempDir(), "token")
		if err := clusterIssuer().WriteProjectedToken(file, subject, "sts.amazonaws.com", time.Hour); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
		t.Setenv("AWS_ROLE_ARN", awsRole)
		m := w.start()
		w.wantToken(m, "entra_id", directoryApp)
		sessions := w.account.Stats().Sessions
		m.applications["entra_id"].held.Store(nil)
		w.wantToken(m, "entra_id", directoryApp)
		if after := w.account.Stats().Sessions; after <= sessions {
			t.Errorf("%d sessions, then %d: want new ones", sessions, after)
		}
	})
	t.Run("without TLS, from the environment", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		file := filepath.Join(t.TempDir(), "token")
		if err := clusterIssuer().WriteProjectedToken(file, subject, "sts.amazonaws.com", time.Hour); err != nil {
			t.Fatal(err)
		}
		w.handle("sts.local:80", w.account.STS())
		t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
		t.Setenv("AWS_ROLE_ARN", awsRole)
		t.Setenv("AWS_ENDPOINT_URL_STS", "http://sts.local")
		w.wantFailure(w.start(), "aws_malformed")
		if stats := w.account.Stats(); stats.Sessions != 0 {
			t.Errorf("the service account's token went over plain HTTP: %+v", stats)
		}
	})
	t.Run("no file", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", filepath.Join(t.TempDir(), "none"))
		t.Setenv("AWS_ROLE_ARN", awsRole)
		w.wantFailure(w.start(), "aws_no_credentials")
	})
}
