package auth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/platform"
)

const identityHeader = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a"

var (
	azureIssuer     = signingIssuer(platform.AzureIssuer(tenantID))
	machineIdentity = platform.AzureIdentity{ClientID: "bbbbbbbb-0000-0000-0000-000000000001", PrincipalID: "cccccccc-0000-0000-0000-000000000001"}
	otherIdentity   = platform.AzureIdentity{ClientID: "bbbbbbbb-0000-0000-0000-000000000002", PrincipalID: "cccccccc-0000-0000-0000-000000000002"}
)

// azureTrust is the federated credential that an administrator creates. It takes each assertion once: nothing here may keep one.
func azureTrust() entra.FederatedCredential {
	return entra.FederatedCredential{Issuer: platform.AzureIssuer(tenantID), Subject: machineIdentity.PrincipalID, Audience: entra.Audience, Keys: azureIssuer().Keys()}
}

func azureIdentity(i platform.AzureIdentity) Credential {
	return Credential{Azure: &Azure{ClientID: i.ClientID}}
}

// onAzure is a virtual machine: MSAL finds no variable of another platform.
func onAzure(t *testing.T, trust entra.FederatedCredential, credential Credential) (*world, *platform.Azure) {
	for _, name := range []string{"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "MSI_ENDPOINT", "MSI_SECRET", "IMDS_ENDPOINT"} {
		t.Setenv(name, "")
	}
	w := newLoopbackWorld(t, trusting(trust))
	machine := platform.NewAzure(tenantID, azureIssuer(), identityHeader, machineIdentity, otherIdentity)
	w.place(metadataAddress, machine.IMDS())
	w.guard(machine.Issued)
	w.signInWith(credential)
	return w, machine
}

// inAppService sets the variables as App Service does.
func (w *world) inAppService(t *testing.T, machine *platform.Azure, header string) {
	server := httptest.NewServer(machine.AppService())
	t.Cleanup(server.Close)
	t.Setenv("IDENTITY_ENDPOINT", server.URL+"/msi/token")
	t.Setenv("IDENTITY_HEADER", header)
	w.secret(header)
}

func TestAzureSignsIn(t *testing.T) {
	w, machine := onAzure(t, azureTrust(), azureIdentity(machineIdentity))
	m := w.manager()
	w.wantToken(m, "entra_id", directoryApp)
	w.wantToken(m, "outlook_mail", mailApp)
	w.wantToken(w.manager(), "entra_id", directoryApp)
	if machine.Requests() != 3 {
		t.Errorf("%d requests for three token requests", machine.Requests())
	}
}

func TestAzureAppServiceSignsIn(t *testing.T) {
	w, machine := onAzure(t, azureTrust(), azureIdentity(machineIdentity))
	w.inAppService(t, machine, identityHeader)
	m := w.manager()
	w.wantToken(m, "entra_id", directoryApp)
	w.wantToken(m, "outlook_mail", mailApp)
}

func TestAzureAppServiceFailures(t *testing.T) {
	w, machine := onAzure(t, azureTrust(), azureIdentity(machineIdentity))
	w.inAppService(t, machine, "11111111-5bfa-4b22-a3f3-0b9a43d9ad8a")
	w.wantDetail("imds_refused")
	w.inAppService(t, machine, identityHeader)
	w.signInWith(Credential{Azure: &Azure{ClientID: mailApp}})
	w.wantDetail("imds_no_identity")
	w.signInWith(Credential{Azure: &Azure{ClientID: machineIdentity.ClientID, Audience: "https://graph.microsoft.com"}})
	w.wantDetail("imds_wrong_audience")
}

func TestAzureWrongTrust(t *testing.T) {
	w, _ := onAzure(t, azureTrust(), azureIdentity(otherIdentity))
	w.wantRejected(700213)
	for _, test := range []struct {
		change func(*entra.FederatedCredential)
		aadsts int
	}{
		{func(c *entra.FederatedCredential) { c.Subject = machineIdentity.ClientID }, 700213},
		{func(c *entra.FederatedCredential) { c.Subject = strings.ToUpper(c.Subject) }, 700213},
		{func(c *entra.FederatedCredential) { c.Audience = entra.AudienceAppID }, 700212},
		{func(c *entra.FederatedCredential) { c.Audience = "api://AzureADTokenExchangeUSGov" }, 700212},
		{func(c *entra.FederatedCredential) { c.Issuer = "https://sts.windows.net/" + tenantID + "/" }, 700211},
	} {
		trust := azureTrust()
		test.change(&trust)
		w, _ := onAzure(t, trust, azureIdentity(machineIdentity))
		w.wantRejected(test.aadsts)
	}
}

func TestAzureOfAnotherCloud(t *testing.T) {
	trust := azureTrust()
	trust.Audience = "api://AzureADTokenExchangeUSGov"
	w, _ := onAzure(t, trust, Credential{Azure: &Azure{ClientID: machineIdentity.ClientID, Audience: trust.Audience}})
	w.wantToken(w.manager(), "entra_id", directoryApp)
}

func TestAzureWithoutTheIdentity(t *testing.T) {
	w, _ := onAzure(t, azureTrust(), Credential{Azure: &Azure{ClientID: mailApp}})
	w.wantDetail("imds_no_identity")
	w, _ = onAzure(t, azureTrust(), Credential{Azure: &Azure{ClientID: machineIdentity.ClientID, Audience: "https://graph.microsoft.com"}})
	w.wantDetail("imds_wrong_audience")
}

// Cloud Shell has an identity, but not one to name.
func TestAzureUnsupported(t *testing.T) {
	w, _ := onAzure(t, azureTrust(), azureIdentity(machineIdentity))
	t.Setenv("MSI_ENDPOINT", "http://localhost:50342/oauth2/token")
	w.wantDetail("azure_unsupported")
}

func TestAzureUnreachable(t *testing.T) {
	w, machine := onAzure(t, azureTrust(), azureIdentity(machineIdentity))
	w.inAppService(t, machine, identityHeader)
	t.Setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
	w.wantDetail("imds_unreachable")
}

// TestAzureFailures has a clock of its own, for a service that says nothing.
func TestAzureFailures(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  platform.Fault
		detail string
		wait   time.Duration // at least, until the next attempt
	}{
		{"throttles", platform.Fault{Status: http.StatusTooManyRequests, RetryAfter: 45 * time.Second, Body: `{"error":"eyJhbGciOi"}`, Times: 1}, "imds_throttled", 45 * time.Second},
		{"throttles without a hint", platform.Fault{Status: http.StatusTooManyRequests, Times: 1}, "imds_throttled", 0},
		{"is updated", platform.Fault{Status: http.StatusGone, Times: 1}, "imds_unavailable", 0},
		{"is not there", platform.Fault{Status: http.StatusNotFound, Times: 1}, "imds_unavailable", 0},
		{"fails", platform.Fault{Status: http.StatusInternalServerError, Body: `{"error":"unknown","error_description":"eyJhbGciOi"}`, Times: 1}, "imds_unavailable", 0},
		{"refuses", platform.Fault{Status: http.StatusForbidden, Body: "eyJhbGciOi", Times: 1}, "imds_refused", 0},
		{"redirects", platform.Fault{Status: http.StatusFound, Times: 1}, "imds_refused", 0},
		{"says nothing", platform.Fault{Times: 1}, "imds_unreachable", 0},
		{"answers with a page", platform.Fault{Status: http.StatusOK, Body: "<html>eyJhbGciOi</html>", Times: 1}, "imds_malformed", 0},
		{"answers for ever", platform.Fault{Status: http.StatusOK, Body: strings.Repeat(" ", maxResponseBody+1), Times: 1}, "too_large", 0},
		{"answers with another token", platform.Fault{Status: http.StatusOK, Body: `{"access_token":"opaque","expires_in":"3599","token_type":"Bearer"}`, Times: 1}, "not_a_jwt", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _ = onAzure(t, azureTrust(), Credential{}) // for the variables
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, trusting(azureTrust()))
				machine := platform.NewAzure(tenantID, azureIssuer(), identityHeader, machineIdentity)
				w.placeInMemory(metadataAddress, machine.IMDS())
				w.guard(machine.Issued)
				w.signInWith(azureIdentity(machineIdentity))
				machine.Break(test.fault)
				start := time.Now()
				failure := w.wantDetail(test.detail)
				if took := time.Since(start); took > metadataTimeout || machine.Requests() != 1 {
					t.Errorf("%d requests in %v", machine.Requests(), took)
				}
				if failure.RetryAfter() < test.wait {
					t.Errorf("retry after %v, want %v at least", failure.RetryAfter(), test.wait)
				}
				w.wantToken(w.manager(), "entra_id", directoryApp) // the fault is over
			})
		})
	}
}

// TestAzureAsksForEachTokenRequest: MSAL would give the first assertion for a day.
func TestAzureAsksForEachTokenRequest(t *testing.T) {
	_, _ = onAzure(t, azureTrust(), Credential{}) // for the variables
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, trusting(azureTrust()))
		machine := platform.NewAzure(tenantID, azureIssuer(), identityHeader, machineIdentity)
		w.placeInMemory(metadataAddress, machine.IMDS())
		w.guard(machine.Issued)
		w.cfg.Connectors = map[string]Connector{"entra_id": {ClientID: directoryApp, Credential: &Credential{Azure: &Azure{ClientID: machineIdentity.ClientID}}}}
		m := w.manager()
		stop := w.run(m)
		time.Sleep(30 * time.Hour)
		w.wantToken(m, "entra_id", directoryApp)
		stop()
		stats := w.entra.Stats()
		if machine.Requests() != stats.TokenRequests || stats.Issued != stats.TokenRequests || stats.Issued < 50 {
			t.Errorf("%d assertions for %d token requests, of which %d gave a token", machine.Requests(), stats.TokenRequests, stats.Issued)
		}
	})
}
