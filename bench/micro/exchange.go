package micro

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/graphveil/graphveil/bench/peers"
	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/extproctest"
)

// exchange measures all messages of a request between Envoy and the processor,
// over gRPC in memory, one exchange at a time. The client's side is in the figures of
// both; it reads more from the no-op processor, which sends back the whole page.
func exchange(ctx context.Context, r *rig) ([]subject, error) {
	server, err := extproc.NewServer(extproc.ServerConfig{
		Gateway: r.gateway, Tokens: token("a token of about the usual length is longer"),
		Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), Metrics: extproc.NewMetrics(prometheus.NewRegistry()),
	})
	if err != nil {
		return nil, err
	}
	noop := grpc.NewServer()
	extprocv3.RegisterExternalProcessorServer(noop, peers.Noop{})
	clients := make(map[string]extprocv3.ExternalProcessorClient)
	for name, g := range map[string]*grpc.Server{"graphveil": server.NewGRPC(), "noop": noop} {
		if clients[name], err = dial(ctx, g); err != nil {
			return nil, err
		}
	}
	var all []subject
	for _, size := range []struct{ name, target string }{
		{"1KB", "/v1.0/users/" + r.person(0) + "?$select=id,displayName,givenName,surname,mail,userPrincipalName,proxyAddresses,otherMails,department," +
			"companyName,jobTitle,city,country,accountEnabled,userType,createdDateTime,assignedLicenses,employeeId"},
		{"50KB", r.mail(12)},
		{"400KB", r.mail(95)},
	} {
		body, err := r.fetch(ctx, r.graph, size.target)
		if err != nil {
			return nil, err
		}
		m := messagesOf(size.target, body)
		for _, name := range []string{"graphveil", "noop"} {
			all = append(all, subject{situation: size.name, name: name, unit: "µs/op", run: func(b *testing.B) error {
				b.SetBytes(int64(len(body)))
				for range b.N {
					if err := m.play(ctx, clients[name]); err != nil {
						return err
					}
				}
				return nil
			}})
		}
	}
	return all, nil
}

// token is the access token of every connector.
type token string

// Token implements extproc.TokenSource.
func (t token) Token(context.Context, string) (string, error) { return string(t), nil }

// Rejected implements extproc.TokenSource: there is no other token.
func (token) Rejected(string, string, string) (bool, time.Duration) { return false, 0 }

// dial serves g in memory until ctx ends, with Envoy's windows at the other end.
func dial(ctx context.Context, g *grpc.Server) (extprocv3.ExternalProcessorClient, error) {
	const window = 256 << 10 // as in package envoy
	listener := bufconn.Listen(1 << 20)
	go g.Serve(listener)
	conn, err := grpc.NewClient("passthrough:processor",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(4*window),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() {
		conn.Close()
		g.Stop()
	})
	return extprocv3.NewExternalProcessorClient(conn), nil
}

// messages are what Envoy sends for one request.
type messages struct {
	request  *extprocv3.ProcessingRequest
	response []*extprocv3.ProcessingRequest // head and chunks
}

// messagesOf cuts a body as HTTP/2 frames do.
func messagesOf(target string, body []byte) messages {
	const frame = 16 << 10
	request := extproctest.RequestHeaders([]extproc.Header{
		{Name: ":authority", Value: "graphveil.example"}, {Name: ":path", Value: target}, {Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"},
		{Name: "accept", Value: "application/json"}, {Name: "user-agent", Value: "bench"}, {Name: "x-request-id", Value: "7b0ee6c5-9a8b-9a3c-8f4e-0f2d3c4b5a69"},
	}, true)
	extproctest.SetAttributes(request, map[string]string{"source.address": "127.0.0.1:50000", "connection.uri_san_peer_certificate": "spiffe://example.org/reader"})
	m := messages{request: request, response: []*extprocv3.ProcessingRequest{extproctest.ResponseHeaders(200, jsonHead.Headers, false)}}
	for len(body) > frame {
		m.response = append(m.response, extproctest.ResponseBody(body[:frame], false))
		body = body[frame:]
	}
	m.response = append(m.response, extproctest.ResponseBody(body, true))
	return m
}

// play carries one exchange through. As Envoy does, it waits for the reply to the
// request, and then for none before the response is sent.
func (m messages) play(ctx context.Context, client extprocv3.ExternalProcessorClient) error {
	stream, err := client.Process(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(m.request); err != nil {
		return err
	}
	reply, err := stream.Recv()
	if err != nil {
		return err
	}
	if reply.GetRequestHeaders() == nil {
		return fmt.Errorf("the request was answered with %T, status %v", reply.GetResponse(), reply.GetImmediateResponse().GetStatus())
	}
	sent := make(chan error, 1)
	go func() {
		for _, message := range m.response {
			if err := stream.Send(message); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	ended := false
	for {
		reply, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if reply.GetImmediateResponse() != nil {
			return fmt.Errorf("the response was refused: status %v", reply.GetImmediateResponse().GetStatus())
		}
		ended = ended || reply.GetResponseBody().GetResponse().GetBodyMutation().GetStreamedResponse().GetEndOfStream()
	}
	if !ended {
		return errors.New("the stream ended before the response")
	}
	return <-sent
}
