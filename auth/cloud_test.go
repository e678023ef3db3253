package auth

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// In each cloud applications sign in at that cloud's Entra alone, for that cloud's Graph, with its audience: by federation and by
// certificate, whose assertion names the host that it is sent to.
func TestEachCloudSignsInAtItsOwnHosts(t *testing.T) {
	for _, cloud := range Clouds() {
		t.Run(cloud.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pair := lasting(48 * time.Hour)
				w := certificateWorld(t, newWorld, func(c *entra.Config) {
					c.Resource = "https://" + cloud.Graph
					c.Apps[1].FederatedCredentials = []entra.FederatedCredential{
						{Issuer: cluster, Subject: subject, Audience: cloud.Audience, Keys: clusterIssuer().Keys()},
					}
				}, pair)
				w.put("tls.crt", pair.certificatePEM()+pair.pkcs8())
				if err := w.issuer.WriteProjectedToken(w.file(mailApp), subject, cloud.Audience, time.Hour); err != nil {
					t.Fatal(err)
				}
				w.cfg.Connectors["outlook_mail"] = Connector{ClientID: mailApp, Credential: fromTokenFile(w.file(mailApp))}
				w.cfg.Cloud = cloud.Name
				m := w.manager()
				w.wantToken(m, "outlook_mail", mailApp)
				w.wantToken(m, "entra_id", directoryApp)
				if hosts, want := w.dialled(), strings.TrimPrefix(cloud.Authority, "https://")+":443"; !slices.Equal(hosts, []string{want}) {
					t.Errorf("dialled %v, want %s alone", hosts, want)
				}
			})
		})
	}
}

// The tenant is in another cloud than the configuration says: Entra has nothing of that scope.
func TestTenantOfAnotherCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *entra.Config) { c.Resource = "https://graph.microsoft.us" })
		w.cfg.Cloud = "us_dod" // the same Entra, another Graph
		if failure := w.wantError(w.manager(), "entra_id", CodeRejected); failure.AADSTS != 500011 {
			t.Errorf("AADSTS%d, want 500011", failure.AADSTS)
		}
	})
}

// Asked about a tenant of another cloud, Entra's discovery names the token endpoint of that one: no assertion goes there, nor to any other
// host that a document names; to another name of the authority it does.
func TestCredentialsStayInTheirCloud(t *testing.T) {
	for host, goes := range map[string]bool{
		"login.microsoftonline.us": false, "login.private.example": false, "login.microsoftonline.com:8443": false,
		"login.microsoftonline.com:443": true, "LOGIN.microsoftonline.com": true, "login.windows.net": true,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			w.entra.Break(entra.Fault{Body: `{"authorization_endpoint":"https://login.microsoftonline.com/a","issuer":"https://login.microsoftonline.com/i","token_endpoint":"https://` + host + `/t"}`})
			failure := w.wantError(w.manager(), "entra_id", CodeMalformed)
			if goes == (failure.Detail == "other_host") {
				t.Errorf("%s: detail %q", host, failure.Detail)
			}
			if hosts := w.dialled(); !goes && !slices.Equal(hosts, []string{"login.microsoftonline.com:443"}) {
				t.Errorf("dialled %v", hosts)
			}
		})
	}
}
