package platform

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestWorkloadAPIVerifies(t *testing.T) {
	agent := NewSPIFFE(signer())
	socket := filepath.Join(t.TempDir(), "s")
	stop, err := agent.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	api := workload.NewSpiffeWorkloadAPIClient(connection)
	safe := grpcmetadata.AppendToOutgoingContext(t.Context(), "workload.spiffe.io", "true")
	unsafe := grpcmetadata.AppendToOutgoingContext(t.Context(), "workload.spiffe.io", "yes")
	const id = "spiffe://example.org/graphveil"
	ask := func(ctx context.Context, id string, audience ...string) (*workload.JWTSVIDResponse, codes.Code) {
		answer, err := api.FetchJWTSVID(ctx, &workload.JWTSVIDRequest{SpiffeId: id, Audience: audience})
		return answer, status.Code(err)
	}
	if _, code := ask(safe, "", "x"); code != codes.PermissionDenied {
		t.Errorf("a workload that is not registered: %v", code)
	}
	agent.Register(SPIFFEEntry{ID: id, Hint: "external"}, SPIFFEEntry{ID: id + "/other"})
	for name, refused := range map[string]context.Context{"no header": t.Context(), "another header": unsafe} {
		if _, code := ask(refused, "", "x"); code != codes.InvalidArgument {
			t.Errorf("%s: %v", name, code)
		}
	}
	if _, code := ask(safe, ""); code != codes.InvalidArgument {
		t.Errorf("no audience: %v", code)
	}
	if _, code := ask(safe, "spiffe://example.org/not/mine", "x"); code != codes.PermissionDenied {
		t.Errorf("another's identity: %v", code)
	}
	answer, code := ask(safe, "", "x", "y")
	if code != codes.OK || len(answer.Svids) != 2 || answer.Svids[0].SpiffeId != id || answer.Svids[0].Hint != "external" {
		t.Fatalf("%v, %v", answer, code)
	}
	if claims := verified(t, answer.Svids[0].Svid); claims["sub"] != id || len(claims["aud"].([]any)) != 2 || claims["iss"] != signer().URL() {
		t.Errorf("claims %v", claims)
	}
	if answer, code := ask(safe, id+"/other", "x"); code != codes.OK || len(answer.Svids) != 1 {
		t.Errorf("one of several: %v, %v", answer, code)
	}
	if stream, err := api.FetchX509SVID(safe, &workload.X509SVIDRequest{}); err == nil {
		if _, err = stream.Recv(); status.Code(err) != codes.Unimplemented {
			t.Errorf("X.509: %v", err)
		}
	}
}
