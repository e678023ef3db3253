package auth

import (
	"cmp"
	"os"
)

// Kubernetes signs in with a projected service-account token. The kubelet replaces it long before it expires, so it is read again for
// each token request (learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust,
// kubernetes.io/docs/concepts/storage/projected-volumes#serviceaccounttoken).
//
// The federated credential: issuer is the cluster's OIDC issuer as in `kubectl get --raw /.well-known/openid-configuration`, which
// Entra must be able to reach; subject is "system:serviceaccount:NAMESPACE:NAME"; audience is that of the projected volume.
type Kubernetes struct {
	// TokenFile is the path of the token in the container. Empty: the variable AZURE_FEDERATED_TOKEN_FILE, which Azure's workload
	// identity webhook sets, or the path that it mounts.
	TokenFile string `yaml:"token_file"`
}

// webhookTokenFile is where azure-workload-identity mounts the token.
const webhookTokenFile = "/var/run/secrets/azure/tokens/azure-identity-token"

func (k *Kubernetes) validate(Cloud) error {
	k.TokenFile = cmp.Or(k.TokenFile, os.Getenv("AZURE_FEDERATED_TOKEN_FILE"), webhookTokenFile)
	return nil
}

func (k *Kubernetes) prover(network, string) (prover, error) { return fromFile(k.TokenFile), nil }
