package extproc

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/graphveil/graphveil/extproc/wire"
)

// TokenSource gives the access token that a connector's requests carry. It is
// asked on the request path, so it must answer from memory where it can and
// stop waiting when ctx ends. An error that has a method RetryAfter()
// time.Duration tells the client when to come back.
type TokenSource interface {
	Token(ctx context.Context, connector string) (string, error)
	// Rejected reports that the upstream answered 401 to a token of Token. claims
	// is the JSON object that a claims challenge asks for, or empty. again says
	// whether the request may succeed after the time that is given; if not, that is
	// how long it will be so for certain, 0 if nobody knows. It must not wait.
	Rejected(connector, token, claims string) (again bool, after time.Duration)
}

// ServerConfig is what NewServer needs.
type ServerConfig struct {
	Gateway *Gateway
	Tokens  TokenSource
	Log     *slog.Logger
	Metrics *Metrics
	// Decided, if not nil, gets the record of each exchange at its end, to keep. It must
	// not block.
	Decided func(*Record)
	// Quotas says, by connector, whose quota of the upstream a request takes. Envoy is
	// told with each request that is allowed, for a rate limit service. Nil tells nothing.
	Quotas map[string]Quota
	// RequestTimeout bounds the decision of a request, waiting for a token
	// included. It must be below Envoy's message_timeout, so that the client gets
	// our answer. Zero means 4 seconds.
	RequestTimeout time.Duration
	// IdleTimeout ends an exchange in which neither side sent a message for this
	// long: Envoy has no such timer in mode FULL_DUPLEX_STREAMED. Zero means 2 minutes.
	IdleTimeout time.Duration
	// Tracer makes the spans of exchanges. Nil makes none.
	Tracer trace.Tracer
}

// Quota is what an upstream counts requests by, together with its services. It is
// configuration, not a value of a request.
type Quota struct {
	Tenant, Application string
}

// Server is the ext_proc service.
type Server struct {
	extprocv3.UnimplementedExternalProcessorServer
	config  ServerConfig
	buffers mem.BufferPool // of everything that is received and sent
	workers workers
	streams sync.Pool // of *stream, for what they have allocated
	modeLog modeLog
}

// NewServer checks the configuration and returns the service.
func NewServer(c ServerConfig) (*Server, error) {
	if c.Gateway == nil || c.Tokens == nil || c.Log == nil || c.Metrics == nil {
		return nil, errors.New("making the processor: gateway, tokens, log and metrics are required")
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = 4 * time.Second
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 2 * time.Minute
	}
	return &Server{
		config: c, buffers: new(wire.Buffers), workers: workers{make(chan *stream)},
		streams: sync.Pool{New: func() any { return new(stream) }},
	}, nil
}

// NewGRPC returns a gRPC server with the service registered, set up for Envoy as
// its only client; more options may be given. The service works on no other server,
// for it needs the codec. No stats handler or tracing interceptor may be added:
// gRPC would then read messages after they were sent.
func (s *Server) NewGRPC(more ...grpc.ServerOption) *grpc.Server {
	const window = 256 << 10 // as in Envoy's cluster, see package envoy
	g := grpc.NewServer(append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(wire.NewCodec()),
		experimental.BufferPool(s.buffers),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(4 * window),
		grpc.MaxRecvMsgSize(8 << 20), // Envoy sends what it read at once: up to 1 MiB seen
		// Envoy pings to notice a stopped processor; the default policy would
		// answer frequent pings with GOAWAY.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	}, more...)...)
	extprocv3.RegisterExternalProcessorServer(g, s)
	return g
}

// Process handles one exchange. It returns nil only after Envoy has ended the
// stream: on a clean end from our side Envoy would let the rest of the exchange
// pass as it is, whatever its failure mode (external_processor.proto, and tried).
func (s *Server) Process(g extprocv3.ExternalProcessor_ProcessServer) error {
	idle := time.NewTimer(s.config.IdleTimeout)
	defer idle.Stop()
	done := make(chan error, 1)
	st := s.streams.Get().(*stream)
	st.server, st.grpc, st.idle, st.done = s, g, idle, done
	s.workers.run(st) // the stream is the worker's now
	select {
	case err := <-done:
		return err
	case <-idle.C:
		// Returning ends the stream, which fails the RecvMsg or SendMsg that the
		// worker hangs in; it then closes the exchange.
		s.config.Metrics.stalled()
		return status.Error(codes.DeadlineExceeded, "ending the exchange: no message for the idle timeout")
	}
}
