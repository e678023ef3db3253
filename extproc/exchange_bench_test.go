package extproc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/extproctest"
)

// frame is what Envoy sends of an HTTP/2 upstream at once.
const frame = 16 << 10

// script is an exchange as Envoy has it, encoded beforehand, so that the client
// costs as little as can be.
type script struct {
	messages [][]byte
	replies  int // of a processor that answers each of them
}

// scriptOf is an exchange with a body of about that size.
func scriptOf(t testing.TB, size int) script {
	var body strings.Builder
	body.WriteString(`{"@odata.context":"https://graph.example/v1.0/$metadata#things","value":[`)
	secret := strings.Repeat("what does not leave, ", min(size/30, 50))
	for i := 0; body.Len() < size; i++ {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"id":"AAMkAGI2THVSAAA%06d","owner":"owner%d@acme.example","size":%d,"secret":%q}`, i, i%10, i, secret)
	}
	body.WriteString(`]}`)
	head := getThings()
	extproctest.SetAttributes(head, map[string]string{"source.address": "127.0.0.1:50000"})
	fields := head.GetRequestHeaders().GetHeaders()
	more := extproctest.RequestHeaders([]extproc.Header{
		{Name: "user-agent", Value: "curl/8.5.0"}, {Name: "accept", Value: "*/*"}, {Name: "authorization", Value: "Bearer nothing"},
		{Name: "x-request-id", Value: "7b0ee6c5-9a8b-9a3c-8f4e-0f2d3c4b5a69"},
	}, true)
	fields.Headers = append(fields.Headers, more.GetRequestHeaders().GetHeaders().GetHeaders()...)
	messages := []message{head, extproctest.ResponseHeaders(200, []extproc.Header{
		{Name: "content-type", Value: "application/json;odata.metadata=minimal"}, {Name: "date", Value: "Mon, 02 Jan 2006 15:04:05 GMT"},
		{Name: "request-id", Value: "7b0ee6c5-9a8b-9a3c-8f4e-0f2d3c4b5a69"}, {Name: "odata-version", Value: "4.0"}, {Name: "etag", Value: "x"},
	}, false)}
	for rest := body.String(); rest != ""; rest = rest[min(len(rest), frame):] {
		messages = append(messages, extproctest.ResponseBody([]byte(rest[:min(len(rest), frame)]), false))
	}
	messages = append(messages, extproctest.ResponseBody(nil, true))
	var s script
	for _, m := range messages {
		encoded, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		s.messages = append(s.messages, encoded)
	}
	s.replies = len(s.messages)
	return s
}

// bytesCodec sends bytes as they are, and counts what comes.
type bytesCodec struct{}

type received struct{ last bool }

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

// endOfStream is how the last reply ends: end_of_stream of a StreamedBodyResponse
// is the last member that is written.
func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	last := data[len(data)-1].ReadOnlyData()
	v.(*received).last = len(last) >= 2 && last[len(last)-2] == 0x10 && last[len(last)-1] == 1 && data[0].ReadOnlyData()[0] == 0x22
	return nil
}

// caller plays scripts.
type caller struct{ conn *grpc.ClientConn }

func newCaller(t testing.TB, server *grpc.Server) *caller {
	listener := bufconn.Listen(1 << 20)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	const window = 8 << 20 // play does not read while it writes
	conn, err := grpc.NewClient("passthrough:processor", grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(bytesCodec{})),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &caller{conn}
}

func (c *caller) play(ctx context.Context, s script) error {
	stream, err := c.conn.NewStream(ctx, &extprocv3.ExternalProcessor_ServiceDesc.Streams[0], extprocv3.ExternalProcessor_Process_FullMethodName)
	if err != nil {
		return err
	}
	var r received
	for i, m := range s.messages {
		if err := stream.SendMsg(m); err != nil {
			return err
		}
		if i == 0 { // before the verdict there is no response
			if err := stream.RecvMsg(&r); err != nil {
				return err
			}
		}
	}
	for !r.last {
		if err := stream.RecvMsg(&r); err != nil {
			return fmt.Errorf("before the end of the response: %w", err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if err := stream.RecvMsg(&r); !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the end: %w", err)
	}
	return nil
}

// noop is a processor as grpc-go's generated code makes it, which lets all pass.
type noop struct {
	extprocv3.UnimplementedExternalProcessorServer
}

func (noop) Process(stream extprocv3.ExternalProcessor_ProcessServer) error {
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		r := &extprocv3.ProcessingResponse{}
		switch m := m.Request.(type) {
		case *extprocv3.ProcessingRequest_RequestHeaders:
			r.Response = &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{}}
		case *extprocv3.ProcessingRequest_ResponseHeaders:
			r.Response = &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{}}
		case *extprocv3.ProcessingRequest_ResponseBody:
			r.Response = &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{
				Response: &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_StreamedResponse{
					StreamedResponse: &extprocv3.StreamedBodyResponse{Body: m.ResponseBody.Body, EndOfStream: m.ResponseBody.EndOfStream},
				}}},
			}}
		}
		if err := stream.Send(r); err != nil {
			return err
		}
	}
}

func noopServer() *grpc.Server {
	g := grpc.NewServer()
	extprocv3.RegisterExternalProcessorServer(g, noop{})
	return g
}

// quietServer is the processor with a log that costs what the real one does.
func quietServer(t testing.TB) *grpc.Server {
	w := newWorld(t, func(c *extproc.ServerConfig) { c.Log = slog.New(slog.NewJSONHandler(io.Discard, nil)) })
	return w.server.NewGRPC()
}

// BenchmarkExchange is a whole exchange over gRPC in memory, the client included.
func BenchmarkExchange(b *testing.B) {
	for _, size := range []int{1000, 50_000, 400_000} {
		s := scriptOf(b, size)
		for name, server := range map[string]*grpc.Server{"graphveil": quietServer(b), "noop": noopServer()} {
			b.Run(fmt.Sprintf("%dKB/%s", size/1000, name), func(b *testing.B) {
				c := newCaller(b, server)
				b.ReportAllocs()
				before := cpu()
				for b.Loop() {
					if err := c.play(b.Context(), s); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(cpu()-before)/1000/float64(b.N), "cpu-us/op")
			})
		}
	}
}

// cpu is the time that this process has computed.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
