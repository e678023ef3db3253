package extproctest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/graphveil/graphveil/extproc"
)

// Envoy is a client of one processor.
type Envoy struct {
	// Upstream answers what the processor lets through. Each flush of its
	// response ends a chunk. A panic with http.ErrAbortHandler is a reset by the
	// upstream.
	Upstream http.Handler
	// UpstreamHost is the Host of requests that go upstream.
	UpstreamHost string
	// SeparateEnd announces the end of a body in an empty chunk of its own, as
	// Envoy mostly does where the upstream speaks HTTP/2.
	SeparateEnd bool

	client extprocv3.ExternalProcessorClient
	server *grpc.Server
}

// New serves s in memory, with its own gRPC settings, until the test ends.
func New(t testing.TB, s *extproc.Server, upstream http.Handler) *Envoy {
	t.Helper()
	return Serve(t, s.NewGRPC(), upstream)
}

// Serve is New for any gRPC server that has a processor.
func Serve(t testing.TB, server *grpc.Server, upstream http.Handler) *Envoy {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:processor",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &Envoy{
		Upstream:     upstream,
		UpstreamHost: "graph.microsoft.com",
		client:       extprocv3.NewExternalProcessorClient(conn),
		server:       server,
	}
}

// Stop ends the processor's gRPC server at once, as a process that is told to
// go and does not wait.
func (e *Envoy) Stop() { e.server.Stop() }

// GracefulStop lets streams end before the server does.
func (e *Envoy) GracefulStop() { e.server.GracefulStop() }

// Open starts a stream and leaves it to the caller.
func (e *Envoy) Open(ctx context.Context) (extprocv3.ExternalProcessor_ProcessClient, error) {
	return e.client.Process(ctx)
}

// Replies are what a processor sent on one stream.
type Replies struct {
	All []*extprocv3.ProcessingResponse
	// Err is how the stream ended: nil if cleanly, else a status error.
	Err error
}

// Play sends messages in order, whatever the processor answers, then ends the
// stream and collects the replies. A processor that ends the stream before all
// is sent is no error of Play.
func (e *Envoy) Play(ctx context.Context, messages ...*extprocv3.ProcessingRequest) (*Replies, error) {
	stream, err := e.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the stream: %w", err)
	}
	for _, m := range messages {
		if err := stream.Send(m); err != nil {
			break // the status comes with Recv
		}
	}
	if err := stream.CloseSend(); err != nil {
		return nil, fmt.Errorf("ending the stream: %w", err)
	}
	return Collect(stream), nil
}

// Body is what the replies released of a response body.
func (r *Replies) Body() []byte {
	var body []byte
	for _, reply := range r.All {
		body = append(body, streamed(reply).GetBody()...)
	}
	return body
}

// Immediate is the first answer in the processor's own words, or nil.
func (r *Replies) Immediate() *extprocv3.ImmediateResponse {
	for _, reply := range r.All {
		if i := reply.GetImmediateResponse(); i != nil {
			return i
		}
	}
	return nil
}

// Collect receives until the stream ends.
func Collect(stream extprocv3.ExternalProcessor_ProcessClient) *Replies {
	r := &Replies{}
	for {
		reply, err := stream.Recv()
		if err != nil {
			if !errors.Is(err, errEOF) {
				r.Err = err
			}
			return r
		}
		r.All = append(r.All, reply)
	}
}

func streamed(r *extprocv3.ProcessingResponse) *extprocv3.StreamedBodyResponse {
	return r.GetResponseBody().GetResponse().GetBodyMutation().GetStreamedResponse()
}
