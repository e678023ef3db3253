package auth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	msalerrors "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity"
)

// Azure signs in with the token of a managed identity as an assertion: on a virtual machine or scale set (IMDS), in App Service, Functions
// and Container Apps, and wherever else MSAL finds one
// (learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity). On AKS use the block kubernetes:
// the cluster's workload identity is a projected token, and the cluster its issuer.
//
// The federated credential: issuer is "https://login.microsoftonline.com/TENANT/v2.0", with the tenant's id and the cloud's host
// (login.microsoftonline.us, login.partner.microsoftonline.cn); subject is the identity's object (principal) id, in the case that Azure
// shows (`az identity show --query principalId`); audience is Audience, although the token's aud claim is an application id that
// stands for it. Entra takes user-assigned identities only, and only of the tenant in which the application is registered.
//
// In Azure the identity is assigned to the machine or app (roles Managed Identity Operator and Virtual Machine Contributor, or Website
// Contributor), and gets no permissions. It is a credential of the applications rather than the holder of their permissions, because permissions of
// Graph on the identity itself would be those of whatever runs on the machine, one set for all connectors, and granted by script
// only; and because continuous access evaluation does not cover the tokens of managed identities
// (learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation-workload), so that theirs outlive a
// revocation by up to a day.
type Azure struct {
	// ClientID is the client id of the user-assigned identity, a GUID. Required, so that it stays this one when another is assigned to
	// the machine.
	ClientID string `yaml:"client_id"`
	// Audience is the resource that the token is for. Empty: the cloud's. Entra takes no other.
	Audience string `yaml:"audience"`
}

func (a *Azure) validate(cloud Cloud) error {
	a.Audience = cmp.Or(a.Audience, cloud.Audience)
	if !guidPattern.MatchString(a.ClientID) {
		return errors.New("client_id is not a GUID\nhint: it is the client id of a user-assigned managed identity; Entra takes no system-assigned one as a credential")
	}
	return nil
}

// prover asks through MSAL, which finds the service by the variables that the platform sets (IDENTITY_ENDPOINT, IDENTITY_HEADER and
// others), or else at 169.254.169.254. Its cache is for the whole process, and would go on giving the token of an identity that was made
// anew; claims of their own make it ask, and are not sent. The platform has a cache too. Retries are the application's, which
// waits as long as the platform says.
func (a *Azure) prover(n network, _ string) (prover, error) {
	client := n.client(true)
	return assertions(func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
		defer cancel()
		defer client.CloseIdleConnections() // the next request is in half an hour
		identity, err := managedidentity.New(managedidentity.UserAssignedClientID(a.ClientID),
			managedidentity.WithHTTPClient(client), managedidentity.WithRetryPolicyDisabled())
		if err != nil {
			return "", &credentialError{detail: "azure_unsupported"}
		}
		token, err := identity.AcquireToken(ctx, a.Audience, managedidentity.WithClaims("{}"))
		if err != nil {
			return "", imdsError(err, time.Now())
		}
		return checkAssertion([]byte(token.AccessToken))
	}), nil
}

// imdsError reduces an error of MSAL, which holds the whole answer, to a word and the time to wait.
func imdsError(err error, now time.Time) error {
	var call msalerrors.CallErr
	switch {
	case errors.As(err, &call) && call.Resp != nil:
		return &credentialError{detail: imdsDetail(call.Resp.StatusCode, err.Error()), retryAfter: retryAfter(call.Resp.Header, now)}
	case errors.Is(err, errTooLarge):
		return &credentialError{detail: "too_large"}
	case networkDetail(err) != "":
		return &credentialError{detail: "imds_unreachable"}
	}
	return &credentialError{detail: "imds_malformed"}
}

// imdsDetail follows the list of errors in how-to-use-vm-token, where 404 and 410 mean that the service is being updated. The sentences are
// those of IMDS and of App Service for an identity that is not assigned.
func imdsDetail(status int, text string) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "imds_throttled"
	case status == http.StatusNotFound, status == http.StatusGone, status == http.StatusRequestTimeout, status >= 500:
		return "imds_unavailable"
	case strings.Contains(text, "Identity not found"), strings.Contains(text, "No User Assigned or Delegated Managed Identity found"):
		return "imds_no_identity"
	case strings.Contains(text, "AADSTS500011"):
		return "imds_wrong_audience"
	}
	return "imds_refused"
}
