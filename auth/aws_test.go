package auth

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/platform"
)

func TestAWSSignsIn(t *testing.T) {
	w := newAWSWorld(t, nil)
	w.useKey(w.account.NewSession(awsRole, time.Hour))
	m := w.start()
	if asked := w.requests(""); asked != 0 {
		t.Errorf("%d requests before the first token request", asked)
	}
	w.wantToken(m, "entra_id", directoryApp)
	w.wantToken(m, "outlook_mail", mailApp)
	if stats := w.account.Stats(); stats.Tokens != 2 || len(stats.Refused) != 0 {
		t.Errorf("AWS: %+v, want a token per application", stats)
	}
	if asked, keys := w.requests("sts.eu-central-1.amazonaws.com"), w.requests(strings.TrimPrefix(w.account.IssuerURL(), "https://")); asked != 2 || keys == 0 {
		t.Errorf("%d requests to STS and %d to the issuer", asked, keys)
	}
}

// The synthetic Entra takes an assertion once, so a second token means a second assertion.
func TestAWSIsAskedForEachToken(t *testing.T) {
	w := newAWSWorld(t, nil)
	w.useKey(w.account.NewSession(awsRole, time.Hour))
	m := w.start()
	w.wantToken(m, "entra_id", directoryApp)
	a := m.applications["entra_id"]
	a.held.Store(nil)
	w.wantToken(m, "entra_id", directoryApp)
	if stats := w.account.Stats(); stats.Tokens != 2 {
		t.Errorf("%d assertions for two tokens", stats.Tokens)
	}
}

func TestAWSRefusals(t *testing.T) {
	good := func(w *awsWorld) { w.useKey(w.account.NewSession(awsRole, time.Hour)) }
	role := func(change func(*platform.AWSRole)) func(*platform.AWSConfig, *entra.FederatedCredential) {
		return func(c *platform.AWSConfig, _ *entra.FederatedCredential) { change(&c.Roles[0]) }
	}
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
		}, "InvalidClientTokenId", "aws_bad_credentials"},
		{"session of another key", nil, func(w *awsWorld) {
			key := w.account.NewSession(awsRole, time.Hour)
			key.Session = w.account.NewSession(awsRole, time.Hour).Session
			w.useKey(key)
		}, "InvalidClientTokenId", "aws_bad_credentials"},
		{"wrong secret", nil, func(w *awsWorld) {
			key := w.account.NewKey(awsRole)
			key.Secret = w.account.NewKey(awsRole).Secret
			w.useKey(key)
		}, "SignatureDoesNotMatch", "aws_bad_credentials"},
		{"expired credentials", nil, func(w *awsWorld) { w.useKey(w.account.NewSession(awsRole, -time.Minute)) }, "ExpiredToken", "aws_expired"},
		{"credentials about to expire", nil, func(w *awsWorld) { w.useKey(w.account.NewSession(awsRole, time.Minute)) },
			"SessionDurationEscalationException", "aws_expired"},
		{"no permission", role(func(r *platform.AWSRole) { r.WebIdentityToken = false }), good, "AccessDenied", "aws_access_denied"},
		{"condition on the audience", role(func(r *platform.AWSRole) { r.Audiences = []string{"https://api.example"} }), good, "AccessDenied", "aws_access_denied"},
		{"condition on the duration", role(func(r *platform.AWSRole) { r.MaxDuration = time.Minute }), good, "AccessDenied", "aws_access_denied"},
		{"condition on the algorithm", role(func(r *platform.AWSRole) { r.Algorithm = "ES384" }), good, "AccessDenied", "aws_access_denied"},
		{"not enabled", func(c *platform.AWSConfig, _ *entra.FederatedCredential) { c.OutboundFederationDisabled = true }, good,
			"OutboundWebIdentityFederationDisabledException", "aws_federation_disabled"},
		{"audience that STS does not take", nil, func(w *awsWorld) {
			good(w)
			w.block.Audience = strings.Repeat("a", 1001)
		}, "ValidationError", "aws_rejected"},
		{"another region", nil, func(w *awsWorld) {
			good(w)
			w.block.Region, w.block.Endpoint = "eu-west-1", "https://sts.eu-central-1.amazonaws.com"
		}, "SignatureDoesNotMatch", "aws_bad_credentials"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newAWSWorld(t, test.adjust)
			test.change(w)
			m := w.start()
			w.wantFailure(m, test.detail)
			if refused := w.account.Stats().Refused; !maps.Equal(refused, map[string]int{test.code: 1}) {
				t.Errorf("AWS refused %v, want one %s", refused, test.code)
			}
			w.wantFailure(m, test.detail) // while it backs off AWS hears nothing
			if refused := w.account.Stats().Refused; refused[test.code] != 1 {
				t.Errorf("asked again at once: AWS refused %v", refused)
			}
		})
	}
}

func TestAWSThrottles(t *testing.T) {
	t.Run("once", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		w.useKey(w.account.NewSession(awsRole, time.Hour))
		w.account.Throttle(1)
		w.wantToken(w.start(), "entra_id", directoryApp)
	})
	t.Run("on and on", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		w.useKey(w.account.NewSession(awsRole, time.Hour))
		w.account.Throttle(100)
		w.wantFailure(w.start(), "aws_throttled")
		if refused := w.account.Stats().Refused["Throttling"]; refused != awsAttempts {
			t.Errorf("%d attempts, want %d", refused, awsAttempts)
		}
	})
}

// Entra's part: what AWS signs is refused for the very claim that the federated credential does not have.
func TestAWSAssertionThatEntraDoesNotTrust(t *testing.T) {
	for _, test := range []struct {
		name   string
		adjust func(*platform.AWSConfig, *entra.FederatedCredential)
		aadsts int
	}{
		{"issuer", func(_ *platform.AWSConfig, f *entra.FederatedCredential) {
			f.Issuer = "https://another.tokens.sts.global.api.aws"
		}, 700211},
		{"audience", func(_ *platform.AWSConfig, f *entra.FederatedCredential) { f.Audience = "https://api.example" }, 700212},
		{"subject", func(_ *platform.AWSConfig, f *entra.FederatedCredential) {
			f.Subject = "arn:aws:sts::123456789012:assumed-role/graphveil/session"
		}, 700213},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newAWSWorld(t, test.adjust)
			w.useKey(w.account.NewSession(awsRole, time.Hour))
			if failure := w.wantError(w.start(), "entra_id", CodeRejected); failure.AADSTS != test.aadsts {
				t.Errorf("AADSTS%d, want %d", failure.AADSTS, test.aadsts)
			}
		})
	}
}

// The SDK corrects its signatures by the server's date. Without that STS would refuse everything.
func TestAWSClockSkew(t *testing.T) {
	for _, clock := range []time.Duration{-20 * time.Minute, 20 * time.Minute} {
		t.Run(clock.String(), func(t *testing.T) {
			w := newAWSWorld(t, nil)
			w.clock = clock
			w.useKey(w.account.NewSession(awsRole, 2*time.Hour))
			w.wantToken(w.start(), "entra_id", directoryApp)
			if refused := w.account.Stats().Refused; !maps.Equal(refused, map[string]int{"SignatureDoesNotMatch": 1}) {
				t.Errorf("AWS refused %v, want the first attempt alone", refused)
			}
		})
	}
}

func TestAWSSources(t *testing.T) {
	t.Run("ec2", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		w.handle("169.254.169.254:80", w.account.Metadata(awsRole))
		w.block.Region = "" // the instance knows it
		m := w.start()
		w.wantToken(m, "entra_id", directoryApp)
		m.applications["entra_id"].held.Store(nil)
		w.wantToken(m, "entra_id", directoryApp)
		if stats := w.account.Stats(); stats.Sessions != 1 || stats.Tokens != 2 {
			t.Errorf("AWS: %+v, want one session for both assertions", stats)
		}
	})
	t.Run("ecs", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		w.handle("169.254.170.2:80", w.account.Container(awsRole, ""))
		t.Setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/0f1e2d3c")
		t.Setenv("AWS_REGION", awsAccountRegion)
		w.block.Region = ""
		w.wantToken(w.start(), "entra_id", directoryApp)
	})
	t.Run("eks pod identity", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		file := filepath.Join(t.TempDir(), "eks-pod-identity-token")
		authorization, err := clusterIssuer().Token(subject, "pods.eks.amazonaws.com", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		w.secret(authorization)
		if err := os.WriteFile(file, []byte(authorization), 0o600); err != nil {
			t.Fatal(err)
		}
		w.handle("169.254.170.23:80", w.account.Container(awsRole, authorization))
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")
		t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)
		w.wantToken(w.start(), "entra_id", directoryApp)
	})
	t.Run("wrong authorization", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		w.handle("169.254.170.23:80", w.account.Container(awsRole, "right"))
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")
		t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong-"+strings.Repeat("w", 8))
		w.secret("wrong-" + strings.Repeat("w", 8))
		w.wantFailure(w.start(), "aws_no_credentials")
	})
	t.Run("shared files, replaced after they expired", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		file := filepath.Join(t.TempDir(), "credentials")
		write := func(key platform.AWSKey) {
			content := "[default]\naws_access_key_id=" + key.ID + "\naws_secret_access_key=" + key.Secret + "\naws_session_token=" + key.Session + "\n"
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
		write(w.account.NewSession(awsRole, -time.Minute))
		m := w.start()
		w.wantFailure(m, "aws_expired")
		write(w.account.NewSession(awsRole, time.Hour))
		m.applications["entra_id"].failed.Store(nil)
		w.wantToken(m, "entra_id", directoryApp)
	})
	t.Run("none", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
		w.wantFailure(w.start(), "aws_no_credentials")
	})
	t.Run("no region", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		w.useKey(w.account.NewSession(awsRole, time.Hour))
		w.block.Region = ""
		t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
		w.wantFailure(w.start(), "aws_no_region")
	})
	t.Run("a global endpoint as the region", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		w.useKey(w.account.NewSession(awsRole, time.Hour))
		w.block.Region = ""
		t.Setenv("AWS_REGION", "aws-global")
		w.wantFailure(w.start(), "aws_no_region")
	})
	t.Run("files that are broken", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		t.Setenv("AWS_PROFILE", "of-nobody")
		w.wantFailure(w.start(), "aws_configuration")
	})
	t.Run("certificate authorities of the SDK's own", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		w.useKey(w.account.NewSession(awsRole, time.Hour))
		t.Setenv("AWS_CA_BUNDLE", w.cfg.CAFile)
		w.wantFailure(w.start(), "aws_configuration")
	})
}

func TestAWSEndpoint(t *testing.T) {
	t.Run("of a VPC", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		w.useKey(w.account.NewSession(awsRole, time.Hour))
		const endpoint = "vpce-1-abc.eu-central-1.amazonaws.com"
		w.block.Endpoint = "https://" + endpoint + "/"
		w.wantToken(w.start(), "entra_id", directoryApp)
		if asked := w.requests(endpoint); asked != 1 {
			t.Errorf("%d requests to the endpoint", asked)
		}
	})
	t.Run("without TLS, from the environment", func(t *testing.T) {
		w := newAWSWorld(t, nil)
		w.useKey(w.account.NewSession(awsRole, time.Hour))
		w.handle("sts.local:80", w.account.STS())
		t.Setenv("AWS_ENDPOINT_URL_STS", "http://sts.local")
		w.wantFailure(w.start(), "aws_malformed")
		if stats := w.account.Stats(); stats.Tokens != 0 || len(stats.Refused) != 0 {
			t.Errorf("asked in plain HTTP: %+v", stats)
		}
	})
}

// Whatever answers in STS's place, there is a word for it and none of its text survives.
func TestAWSAnswersNonsense(t *testing.T) {
	const canary = "Canary-7d20b8"
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/xml")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	result := func(token string) string {
		return "<GetWebIdentityTokenResponse><GetWebIdentityTokenResult><WebIdentityToken>" + token +
			"</WebIdentityToken></GetWebIdentityTokenResult></GetWebIdentityTokenResponse>"
	}
	w := newAWSWorld(t, nil)
	w.secret(canary)
	w.useKey(w.account.NewSession(awsRole, time.Hour))
	for name, test := range map[string]struct {
		handler http.Handler
		detail  string
	}{
		"html":                     {answer(200, "<html>"+canary+"</html>"), "aws_malformed"},
		"json":                     {answer(200, `{"token":"`+canary+`"}`), "empty"},
		"nothing":                  {answer(200, ""), "empty"},
		"no token":                 {answer(200, result("")), "empty"},
		"no jwt":                   {answer(200, result(canary)), "not_a_jwt"},
		"too large":                {answer(200, result(strings.Repeat(canary, 1<<16))), "aws_malformed"},
		"unknown error":            {answer(400, "<ErrorResponse><Error><Code>"+canary+"</Code><Message>"+canary+"</Message></Error></ErrorResponse>"), "aws_rejected"},
		"error that is no xml":     {answer(403, canary), "aws_rejected"},
		"throttled without a code": {answer(429, canary), "aws_throttled"},
		"failing":                  {answer(503, canary), "aws_unavailable"},
		"redirect":                 {http.RedirectHandler("https://sts.eu-west-1.amazonaws.com/"+canary, http.StatusTemporaryRedirect), "aws_malformed"},
		"gone":                     {http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "aws_unreachable"},
	} {
		t.Log(name)
		w.replace(test.handler)
		w.wantFailure(w.start(), test.detail)
	}
}

func TestAWSWordsHaveHints(t *testing.T) {
	words := slices.Collect(maps.Values(awsDetails))
	for _, word := range append(words, "aws_rejected", "aws_unavailable", "aws_unreachable", "aws_malformed") {
		if h := hintOf(&Error{Code: CodeCredential, Detail: word}); h == nil || h.details == nil {
			t.Errorf("%s has no hint", word)
		}
	}
}

// The SDK has a logger of its own, for standard error, that quotes what it does not understand.
func TestAWSSDKWritesNothing(t *testing.T) {
	w := newAWSWorld(t, nil)
	w.useKey(w.account.NewSession(awsRole, time.Hour))
	w.replace(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.account.STS().ServeHTTP(dateless{out}, r)
	}))
	captured, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = captured
	defer func() { os.Stderr = stderr }()
	w.wantToken(w.start(), "entra_id", directoryApp)
	if written, err := os.ReadFile(captured.Name()); err != nil || len(written) > 0 {
		t.Errorf("on standard error: %q, %v", written, err)
	}
}

// dateless answers with a Date that is none.
type dateless struct{ http.ResponseWriter }

func (d dateless) WriteHeader(status int) {
	d.Header().Set("Date", "yesterday")
	d.ResponseWriter.WriteHeader(status)
}

func TestAWSRetryAfter(t *testing.T) {
	w := newAWSWorld(t, nil)
	w.useKey(w.account.NewSession(awsRole, time.Hour))
	w.replace(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Retry-After", "90")
		out.WriteHeader(http.StatusTooManyRequests)
	}))
	if failure := w.wantFailure(w.start(), "aws_throttled"); failure.RetryAfter() < 90*time.Second {
		t.Errorf("retry after %v, AWS said 90 s", failure.RetryAfter())
	}
}

// Silence, of STS and where there is no metadata service, ends within the attempt and leaves time to tell why.
func TestAWSSilenceEndsInTime(t *testing.T) {
	for _, test := range []struct {
		name, silent, detail string
		key                  bool
		limit                time.Duration
	}{
		{"sts", "sts.", "aws_unreachable", true, awsTimeout},
		{"metadata", "169.254.", "aws_no_credentials", false, awsCredentialsTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			withoutAWSEnvironment(t)
			if test.key {
				t.Setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000000")
				t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody")
			}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.secret("a-secret-of-nobody")
				entra := w.dial
				w.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					if !strings.HasPrefix(address, test.silent) {
						return entra(ctx, network, address)
					}
					client, server := net.Pipe()
					t.Cleanup(func() { _ = server.Close() })
					go func() { _, _ = io.Copy(io.Discard, server) }()
					return client, nil
				}
				w.cfg.Connectors["entra_id"] = Connector{ClientID: directoryApp, Credential: &Credential{AWS: &AWS{Region: awsAccountRegion}}}
				began := time.Now()
				if failure := w.wantError(w.manager(), "entra_id", CodeCredential); failure.Detail != test.detail {
					t.Errorf("detail %q, want %q", failure.Detail, test.detail)
				}
				if took := time.Since(began); took > test.limit {
					t.Errorf("took %v, want %v at most", took, test.limit)
				}
			})
		})
	}
}

func TestAWSBlocksAreChecked(t *testing.T) {
	for _, test := range []struct {
		name  string
		block block
		says  string // empty: nothing
	}{
		{"all defaults", &AWS{}, ""},
		{"a region", &AWS{Region: "us-gov-west-1"}, ""},
		{"global endpoint", &AWS{Region: "aws-global"}, "region"},
		{"region that would be another host", &AWS{Region: "evil.example/"}, "region"},
		{"endpoint without TLS", &AWS{Endpoint: "http://sts.eu-central-1.amazonaws.com"}, "endpoint"},
		{"endpoint with a path", &AWS{Endpoint: "https://sts.eu-central-1.amazonaws.com/a"}, "endpoint"},
		{"cognito", &AWSCognito{IdentityPoolID: awsPool, DeveloperProvider: awsProvider}, ""},
		{"no pool", &AWSCognito{DeveloperProvider: awsProvider}, "identity_pool_id"},
		{"pool's ARN", &AWSCognito{IdentityPoolID: "arn:aws:cognito-identity:eu-central-1:123456789012:identitypool/" + awsPool}, "identity_pool_id"},
		{"no provider", &AWSCognito{IdentityPoolID: awsPool}, "developer_provider"},
		{"identity", &AWSCognito{IdentityPoolID: awsPool, DeveloperProvider: awsProvider, IdentityID: "me"}, "identity_id"},
		{"cognito's endpoint", &AWSCognito{IdentityPoolID: awsPool, DeveloperProvider: awsProvider, Endpoint: "cognito"}, "endpoint"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.block.validate(Clouds()[0])
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("got %v, want an error about %q", err, test.says)
			}
		})
	}
	government, err := CloudNamed("us_government")
	if err != nil {
		t.Fatal(err)
	}
	block := &AWS{}
	if err := block.validate(government); err != nil || block.Audience != "api://AzureADTokenExchangeUSGov" {
		t.Errorf("audience %q, %v", block.Audience, err)
	}
	pool := &AWSCognito{IdentityPoolID: awsPool, DeveloperProvider: awsProvider}
	if err := pool.validate(government); err != nil || pool.Region != "eu-central-1" {
		t.Errorf("region %q, %v", pool.Region, err)
	}
}
