package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"cloud.google.com/go/compute/metadata"
)

// GCP signs in with the identity token of a service account that is attached to the machine: Compute Engine, Cloud Run and what else has
// Google's metadata server (docs.cloud.google.com/compute/docs/instances/verifying-instance-identity). On GKE the cluster's own tokens
// need no service account: use the block kubernetes, with the issuer
// "https://container.googleapis.com/v1/projects/PROJECT/locations/LOCATION/clusters/CLUSTER".
//
// The federated credential: issuer is "https://accounts.google.com", without a slash at its end; subject is the *numeric* unique id of
// the service account, not its email
// (`gcloud iam service-accounts describe EMAIL --format='value(uniqueId)'`, for which the role Service Account Viewer is enough);
// audience is Audience.
//
// In Google Cloud nothing is to be granted: an account may always ask for its own identity. So may whatever else runs as it, for any
// audience: give the machine an account of its own, and no roles. A proxy or firewall must leave 169.254.169.254 alone.
//
// The metadata server gives the same token for a while, which is as it should be: Entra takes an assertion more than once.
type GCP struct {
	// Audience of the token. Empty: the cloud's.
	Audience string `yaml:"audience"`
	// ServiceAccount is the email of one of the machine's accounts. Empty: "default", the one that is attached to it.
	ServiceAccount string `yaml:"service_account"`
}

// metadataTimeout bounds what the metadata service of a platform takes, retries of its SDK included. It answers in milliseconds, or
// in a second when it has to ask.
const metadataTimeout = attemptTimeout / 2

// accountPattern keeps a name within its segment of the path.
var accountPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@._-]*$`)

func (g *GCP) validate(cloud Cloud) error {
	g.Audience = cmp.Or(g.Audience, cloud.Audience)
	g.ServiceAccount = cmp.Or(g.ServiceAccount, "default")
	if !accountPattern.MatchString(g.ServiceAccount) {
		return fmt.Errorf("service_account %q is not an email\nhint: leave it out for the account that is attached to the machine", g.ServiceAccount)
	}
	return nil
}

// prover asks through Google's client, which follows GCE_METADATA_HOST, keeps nothing of what is asked here, and asks up to five times
// more, three seconds in all, when the server fails or does not listen. It logs nothing unless it is given a logger.
func (g *GCP) prover(n network, _ string) (prover, error) {
	client := n.client(true)
	path := "instance/service-accounts/" + g.ServiceAccount + "/identity?" + url.Values{"audience": {g.Audience}, "format": {"full"}}.Encode()
	return assertions(func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
		defer cancel()
		defer client.CloseIdleConnections() // the next request is in half an hour
		token, err := metadata.NewClient(client).GetWithContext(ctx, path)
		if err != nil {
			return "", &credentialError{detail: gcpDetail(err)}
		}
		return checkAssertion([]byte(token))
	}), nil
}

// gcpDetail reduces an error of Google's client, which may hold what the server said, to a word.
func gcpDetail(err error) string {
	var missing metadata.NotDefinedError
	var answer *metadata.Error
	switch {
	case errors.As(err, &missing):
		return "gcp_no_service_account"
	case errors.As(err, &answer) && answer.Code == http.StatusTooManyRequests:
		return "gcp_throttled"
	case errors.As(err, &answer) && answer.Code >= 500:
		return "gcp_unavailable"
	case errors.As(err, &answer):
		return "gcp_refused"
	case errors.Is(err, errTooLarge):
		return "too_large"
	}
	return "gcp_unreachable"
}
