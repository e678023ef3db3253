package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// SPIFFE signs in with a JWT-SVID, from the Workload API of an agent such as SPIRE's
// (github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_API.md), or from a file that spiffe-helper keeps fresh.
//
// The federated credential: issuer is the jwt_issuer of the SPIRE server, which must be the URL of its OIDC discovery provider, and that
// be reachable for Entra (github.com/spiffe/spire/tree/main/support/oidc-discovery-provider); subject is the SPIFFE ID of the workload,
// such as "spiffe://example.org/graphveil"; audience is Audience.
//
// Entra takes RS256 alone (learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations), and SPIRE signs with an
// elliptic curve unless told otherwise: set jwt_key_type = "rsa-2048" on the server, which takes effect with its next JWT key, and
// set_key_use = true on the discovery provider.
//
// In SPIRE a registration entry gives this workload its SPIFFE ID. The agent's socket must be mounted in the container.
type SPIFFE struct {
	// Socket is the address of the Workload API, such as "unix:///run/spire/agent.sock". Empty: the variable SPIFFE_ENDPOINT_SOCKET.
	// TCP is refused: anybody could listen.
	Socket string `yaml:"socket"`
	// Audience of the SVID. Empty: the cloud's.
	Audience string `yaml:"audience"`
	// SPIFFEID is which of several identities to use. Empty: the agent's default, the first.
	SPIFFEID string `yaml:"spiffe_id"`
	// File holds a JWT-SVID, instead of Socket. Its audience is set where it is written (jwt_audience of spiffe-helper).
	File string `yaml:"file"`
}

func (s *SPIFFE) validate(cloud Cloud) error {
	if s.File != "" {
		if s.Socket != "" || s.Audience != "" || s.SPIFFEID != "" {
			return errors.New("file excludes socket, audience and spiffe_id\nhint: who writes the file decides about its audience and identity")
		}
		return nil
	}
	s.Audience = cmp.Or(s.Audience, cloud.Audience)
	if s.SPIFFEID != "" {
		if _, err := spiffeid.FromString(s.SPIFFEID); err != nil {
			return fmt.Errorf("spiffe_id %q is not a SPIFFE ID, such as spiffe://example.org/graphveil", s.SPIFFEID)
		}
	}
	if s.Socket != "" {
		return checkSocket("socket", s.Socket)
	}
	return nil
}

func checkSocket(name, address string) error {
	if !strings.HasPrefix(address, "unix:/") || workloadapi.ValidateAddress(address) != nil {
		return fmt.Errorf("%s %q is not the address of a Unix socket, such as unix:///run/spire/agent.sock", name, address)
	}
	return nil
}

// prover connects for each token request, so that nothing is open in between and an agent may come and go.
func (s *SPIFFE) prover(network, string) (prover, error) {
	if s.File != "" {
		read := fromFile(s.File)
		return assertions(func(ctx context.Context) (string, error) {
			token, err := read(ctx)
			if err != nil {
				return "", err
			}
			return checkSVID(token)
		}), nil
	}
	socket := s.Socket
	if socket == "" {
		socket = os.Getenv(workloadapi.SocketEnv)
		if socket == "" {
			return nil, fmt.Errorf("no socket\nhint: set socket, or the variable %s", workloadapi.SocketEnv)
		}
		if err := checkSocket(workloadapi.SocketEnv, socket); err != nil {
			return nil, err
		}
	}
	id, _ := spiffeid.FromString(s.SPIFFEID) // validated; the zero ID asks for the default
	params := jwtsvid.Params{Audience: s.Audience, Subject: id}
	return assertions(func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
		defer cancel()
		client, err := workloadapi.New(ctx, workloadapi.WithAddr(socket),
			workloadapi.WithDialOptions(grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponseBody))))
		if err != nil {
			return "", &credentialError{detail: "spiffe_unreachable"}
		}
		defer client.Close()
		svid, err := client.FetchJWTSVID(ctx, params)
		if err != nil {
			return "", &credentialError{detail: spiffeDetail(status.Code(err))}
		}
		return checkSVID(svid.Marshal())
	}), nil
}

func spiffeDetail(code codes.Code) string {
	switch code {
	case codes.PermissionDenied:
		return "spiffe_denied"
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return "spiffe_unreachable"
	case codes.Unknown: // not of the agent: its answer does not read as SVIDs
		return "spiffe_not_an_svid"
	}
	return "spiffe_refused"
}

// svidAlgorithms are those of the standard (JWT-SVID section 2.1).
var svidAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512,
}

// checkSVID returns a token that is an SVID which Entra can verify. Whether it does is for Entra to say.
func checkSVID(token string) (string, error) {
	if _, err := checkAssertion([]byte(token)); err != nil {
		return "", err
	}
	var claims jwt.Claims
	parsed, err := jwt.ParseSigned(token, svidAlgorithms)
	if err != nil || parsed.UnsafeClaimsWithoutVerification(&claims) != nil {
		return "", &credentialError{detail: "spiffe_not_an_svid"}
	}
	if _, err := spiffeid.FromString(claims.Subject); err != nil {
		return "", &credentialError{detail: "spiffe_not_an_svid"}
	}
	if parsed.Headers[0].Algorithm != string(jose.RS256) {
		return "", &credentialError{detail: "spiffe_not_rs256"}
	}
	return token, nil
}
