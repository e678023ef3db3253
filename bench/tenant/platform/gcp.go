package platform

import (
	"net/http"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// GCPIssuer is the iss claim of Google's identity tokens, and the URL of the [entra.Issuer] that signs them.
const GCPIssuer = "https://accounts.google.com"

// GCPServiceAccount is a service account that is attached to the machine.
type GCPServiceAccount struct {
	// UniqueID is the number that never changes: the sub claim.
	UniqueID string
	// Email is the name that people use.
	Email string
}

// GCP is the metadata server of a Google Compute Engine machine, at http://169.254.169.254: an [http.Handler] that answers the
// identity of service accounts and nothing else
// (docs.cloud.google.com/compute/docs/instances/verifying-instance-identity, docs.cloud.google.com/compute/docs/metadata/querying-metadata).
type GCP struct {
	metadata
	issuer   *entra.Issuer
	accounts []GCPServiceAccount
	mux      *http.ServeMux
}

// NewGCP makes the metadata server of a machine with these accounts; the first is also called "default".
func NewGCP(issuer *entra.Issuer, accounts ...GCPServiceAccount) *GCP {
	g := &GCP{issuer: issuer, accounts: accounts, mux: http.NewServeMux()}
	g.mux.HandleFunc("GET /computeMetadata/v1/instance/service-accounts/{account}/identity", g.serveIdentity)
	return g
}

// ServeHTTP refuses what a page in a browser, or a proxy that can be talked into anything, would send: requests without the header
// "Metadata-Flavor: Google" and those with X-Forwarded-For.
func (g *GCP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.meet(w, r) {
		return
	}
	w.Header().Set("Metadata-Flavor", "Google")
	switch {
	case len(r.Header.Values("X-Forwarded-For")) > 0:
		http.Error(w, "Metadata server does not take forwarded requests: X-Forwarded-For", http.StatusForbidden)
	case r.Header.Get("Metadata-Flavor") != "Google":
		http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
	default:
		g.mux.ServeHTTP(w, r)
	}
}

func (g *GCP) serveIdentity(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	account, found := g.account(r.PathValue("account"))
	switch format := query.Get("format"); {
	case !found:
		http.NotFound(w, r)
		return
	case query.Get("audience") == "":
		http.Error(w, "non-empty audience parameter required", http.StatusBadRequest)
		return
	case format != "" && format != "standard" && format != "full":
		http.Error(w, "format must be standard or full", http.StatusBadRequest)
		return
	}
	now := time.Now()
	claims := map[string]any{
		"iss": g.issuer.URL(),
		"sub": account.UniqueID,
		"azp": account.UniqueID,
		"aud": query.Get("audience"),
		"iat": now.Unix(),
		"exp": now.Add(time.Hour).Unix(),
	}
	if query.Get("format") == "full" {
		claims["email"], claims["email_verified"] = account.Email, true
		claims["google"] = map[string]any{"compute_engine": map[string]any{
			"project_id": "synthetic", "project_number": 739419398126, "zone": "europe-west3-a",
			"instance_id": "152986662232938449", "instance_name": "graphveil", "instance_creation_timestamp": now.Add(-24 * time.Hour).Unix(),
		}}
	}
	token, err := g.issuer.Sign(claims)
	if err != nil {
		http.Error(w, "Internal error.", http.StatusInternalServerError)
		return
	}
	g.handOut(token)
	w.Header().Set("Content-Type", "text/html") // as the real one does
	_, _ = w.Write([]byte(token))               // the client is gone: nobody is left to tell
}

func (g *GCP) account(name string) (GCPServiceAccount, bool) {
	for i, account := range g.accounts {
		if name == account.Email || name == "default" && i == 0 {
			return account, true
		}
	}
	return GCPServiceAccount{}, false
}
