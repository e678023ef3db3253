package platform

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// svidLifetime is SPIRE's default_jwt_svid_ttl.
const svidLifetime = 5 * time.Minute

// SPIFFEEntry is an identity that the workload is registered for.
type SPIFFEEntry struct {
	// ID is such as "spiffe://example.org/graphveil".
	ID string
	// Hint tells a workload with several identities what this one is for.
	Hint string
}

// SPIFFE is an agent's Workload API for one workload: JWT-SVIDs over gRPC, and nothing of X.509
// (github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_API.md). The issuer stands for SPIRE's OIDC discovery provider: its URL
// is the server's jwt_issuer, and what it serves is what the provider publishes.
type SPIFFE struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	issuer *entra.Issuer

	mu      sync.Mutex
	entries []SPIFFEEntry
	curve   *ecdsa.PrivateKey // signs if not nil
	issued  []string
}

// NewSPIFFE makes an agent that knows no workload yet.
func NewSPIFFE(issuer *entra.Issuer) *SPIFFE { return &SPIFFE{issuer: issuer} }

// Register replaces what the workload is registered for; the first is its default identity.
func (s *SPIFFE) Register(entries ...SPIFFEEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = entries
}

// SignWithCurve signs with ES256 from now on, as a SPIRE server does whose jwt_key_type nobody set.
func (s *SPIFFE) SignWithCurve() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("generating signing key: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.curve = key
	return nil
}

// Issued returns every SVID that was handed out.
func (s *SPIFFE) Issued() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.issued)
}

// Listen serves on a Unix socket until stop is called, which removes it, as an agent does that restarts.
func (s *SPIFFE) Listen(socket string) (stop func(), err error) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("serving workload api: %w", err)
	}
	server := grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(server, s)
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) }) // ends with stop
	return func() { server.Stop(); running.Wait() }, nil
}

// FetchJWTSVID is the call of the Workload API. Without the security header it answers as to a browser that was tricked; a workload
// that is not registered, or not for the id that it names, is denied.
func (s *SPIFFE) FetchJWTSVID(ctx context.Context, r *workload.JWTSVIDRequest) (*workload.JWTSVIDResponse, error) {
	header, _ := grpcmetadata.FromIncomingContext(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !slices.Equal(header.Get("workload.spiffe.io"), []string{"true"}):
		return nil, status.Error(codes.InvalidArgument, "security header missing from request")
	case len(r.Audience) == 0:
		return nil, status.Error(codes.InvalidArgument, "audience must be specified")
	}
	answer := &workload.JWTSVIDResponse{}
	for _, entry := range s.entries {
		if r.SpiffeId != "" && r.SpiffeId != entry.ID {
			continue
		}
		token, err := s.sign(entry.ID, r.Audience)
		if err != nil {
			return nil, status.Error(codes.Unavailable, "could not sign")
		}
		s.issued = append(s.issued, token)
		answer.Svids = append(answer.Svids, &workload.JWTSVID{SpiffeId: entry.ID, Svid: token, Hint: entry.Hint})
	}
	if len(answer.Svids) == 0 {
		return nil, status.Error(codes.PermissionDenied, "no identity issued")
	}
	return answer, nil
}

func (s *SPIFFE) sign(id string, audience []string) (string, error) {
	now := time.Now()
	claims := map[string]any{"iss": s.issuer.URL(), "sub": id, "aud": audience, "iat": now.Unix(), "exp": now.Add(svidLifetime).Unix()}
	if s.curve == nil {
		return s.issuer.Sign(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.curve}, nil)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
