package platform

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// AzureIssuer is the iss claim of a managed identity's token for the exchange audience, and the URL of the [entra.Issuer] that signs it.
func AzureIssuer(tenantID string) string {
	return "https://login.microsoftonline.com/" + tenantID + "/v2.0"
}

// azureLifetime is that of managed identities' tokens.
const azureLifetime = 24 * time.Hour

// AzureIdentity is a user-assigned managed identity of the machine.
type AzureIdentity struct {
	// ClientID is the application id, which requests name.
	ClientID string
	// PrincipalID is the object id of its service principal: the sub and oid claims.
	PrincipalID string
}

// Azure is where a workload in Azure asks for the token of a managed identity. IMDS is the service of virtual machines, at
// http://169.254.169.254; AppService that of App Service, Functions and Container Apps
// (learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token,
// learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference).
type Azure struct {
	metadata
	tenantID   string
	issuer     *entra.Issuer
	header     string
	identities []AzureIdentity
}

// NewAzure makes a machine with these identities. identityHeader is what App Service puts into the variable IDENTITY_HEADER.
func NewAzure(tenantID string, issuer *entra.Issuer, identityHeader string, identities ...AzureIdentity) *Azure {
	return &Azure{tenantID: tenantID, issuer: issuer, header: identityHeader, identities: identities}
}

// IMDS answers GET /metadata/identity/oauth2/token.
func (a *Azure) IMDS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		refuse := func(status int, code, text string) {
			writeJSON(w, status, map[string]string{"error": code, "error_description": text})
		}
		switch {
		case a.meet(w, r):
		case r.URL.Path != "/metadata/identity/oauth2/token":
			http.NotFound(w, r)
		case r.Method != http.MethodGet:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case len(r.Header.Values("X-Forwarded-For")) > 0:
			refuse(http.StatusBadRequest, "invalid_request", "Forwarded requests are not allowed")
		case r.Header.Get("Metadata") != "true":
			refuse(http.StatusBadRequest, "invalid_request", "Required metadata header not specified")
		case query.Get("api-version") != "2018-02-01":
			refuse(http.StatusBadRequest, "invalid_request", "Required api-version parameter not specified")
		case query.Get("resource") == "":
			refuse(http.StatusBadRequest, "invalid_request", "Required audience parameter not specified")
		case query.Get("client_id") == "" && len(a.identities) > 1:
			refuse(http.StatusBadRequest, "invalid_request", "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request")
		case !a.has(query.Get("client_id")):
			refuse(http.StatusBadRequest, "invalid_request", "Identity not found")
		case !strings.HasPrefix(query.Get("resource"), entra.Audience):
			refuse(http.StatusBadRequest, "invalid_resource", "AADSTS500011: The resource principal named "+query.Get("resource")+
				" was not found in the tenant named synthetic. Trace ID: "+rand.Text())
		default:
			a.answer(w, query.Get("client_id"), query.Get("resource"), true)
		}
	})
}

// AppService answers at the URL that App Service puts into the variable IDENTITY_ENDPOINT. Only who knows IDENTITY_HEADER gets a token.
func (a *Azure) AppService() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		refuse := func(status int, text string) {
			writeJSON(w, status, map[string]any{"statusCode": status, "message": text, "correlationId": rand.Text()})
		}
		switch {
		case a.meet(w, r):
		case r.URL.Path != "/msi/token":
			http.NotFound(w, r)
		case r.Method != http.MethodGet:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Identity-Header")), []byte(a.header)) != 1:
			refuse(http.StatusUnauthorized, "The identity header is missing or wrong.")
		case query.Get("api-version") != "2019-08-01":
			refuse(http.StatusBadRequest, "The api-version is missing or not supported.")
		case query.Get("resource") == "":
			refuse(http.StatusBadRequest, "The resource is missing.")
		case !a.has(query.Get("client_id")):
			refuse(http.StatusBadRequest, "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.")
		case !strings.HasPrefix(query.Get("resource"), entra.Audience):
			refuse(http.StatusBadRequest, "AADSTS500011: The resource principal named "+query.Get("resource")+" was not found in the tenant.")
		default:
			a.answer(w, query.Get("client_id"), query.Get("resource"), false)
		}
	})
}

// has accepts no client id for the only identity.
func (a *Azure) has(clientID string) bool {
	return slices.ContainsFunc(a.identities, func(i AzureIdentity) bool {
		return strings.EqualFold(i.ClientID, clientID) || clientID == "" && len(a.identities) == 1
	})
}

// answer signs a token as Entra does for managed identities. Numbers are sent as text, and App Service sends no expires_in.
func (a *Azure) answer(w http.ResponseWriter, clientID, resource string, imds bool) {
	identity := a.identities[0]
	for _, other := range a.identities {
		if strings.EqualFold(other.ClientID, clientID) {
			identity = other
		}
	}
	audience := resource
	if resource == entra.Audience {
		audience = entra.AudienceAppID
	}
	now := time.Now()
	token, err := a.issuer.Sign(map[string]any{
		"aud": audience, "iss": a.issuer.URL(), "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(azureLifetime).Unix(),
		"azp": identity.ClientID, "azpacr": "2", "idtyp": "app", "oid": identity.PrincipalID, "sub": identity.PrincipalID,
		"tid": a.tenantID, "uti": rand.Text(), "ver": "2.0",
	})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	a.handOut(token)
	body := map[string]string{
		"access_token": token,
		"client_id":    identity.ClientID,
		"expires_on":   strconv.FormatInt(now.Add(azureLifetime).Unix(), 10),
		"resource":     resource,
		"token_type":   "Bearer",
	}
	if imds {
		seconds := strconv.Itoa(int(azureLifetime.Seconds()) - 1)
		body["expires_in"], body["ext_expires_in"] = seconds, seconds
		body["not_before"] = strconv.FormatInt(now.Unix(), 10)
	}
	writeJSON(w, http.StatusOK, body)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody is left to tell
}
