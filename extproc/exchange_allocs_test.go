package extproc_test

import (
	"io"
	"testing"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"

	"github.com/graphveil/graphveil/extproc/wire"
)

// bareServer answers each message with as little as gRPC allows: no message is
// decoded, and what is sent was encoded beforehand.
func bareServer(t testing.TB, s script) *grpc.Server {
	reply := func(write func(*wire.Reply)) []byte {
		var r wire.Reply
		r.Start(new(wire.Buffers), 100)
		write(&r)
		data, err := wire.NewCodec().Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		return data.Materialize()
	}
	body := func(n int, end bool) []byte {
		return reply(func(r *wire.Reply) { r.SetBody(append(r.Body(), make([]byte, n)...), end) })
	}
	head := reply(func(r *wire.Reply) { r.ResponseHeaders(nil, nil) })
	chunk, last := body(1000, false), body(0, true)
	// Windows are as large as the processor's: their updates allocate too.
	g := grpc.NewServer(grpc.ForceServerCodecV2(bytesCodec{}), grpc.InitialWindowSize(256<<10), grpc.InitialConnWindowSize(1<<20))
	g.RegisterService(&grpc.ServiceDesc{
		ServiceName: extprocv3.ExternalProcessor_ServiceDesc.ServiceName,
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "Process", ServerStreams: true, ClientStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
			var r received
			for i := 0; ; i++ {
				if err := stream.RecvMsg(&r); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
				m := chunk
				switch {
				case i < 2:
					m = head
				case i == len(s.messages)-1:
					m = last
				}
				if err := stream.SendMsg(m); err != nil {
					return err
				}
			}
		}}},
	}, nil)
	return g
}

// TestAllocations counts what a whole exchange allocates, the client included, and
// takes from it what gRPC and the client do without a processor. What is left is
// ours: mostly the decision, which does not depend on the size of the body. Of a
// chunk there is next to nothing: no copy of the body, no buffer, no message.
func TestAllocations(t *testing.T) {
	small, large := scriptOf(t, 1000), scriptOf(t, 400_000)
	count := func(server *grpc.Server, s script) float64 {
		c := newCaller(t, server)
		return testing.AllocsPerRun(300, func() {
			if err := c.play(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
	ours, oursLarge := count(quietServer(t), small), count(quietServer(t), large)
	bare, bareLarge := count(bareServer(t, small), small), count(bareServer(t, large), large)
	noop, noopLarge := count(noopServer(), small), count(noopServer(), large)
	chunks := float64(len(large.messages) - len(small.messages))
	t.Logf("allocations per exchange of 1 KB: %.0f; gRPC and the client alone: %.0f; with a stock no-op processor: %.0f", ours, bare, noop)
	t.Logf("allocations per exchange of 400 KB: %.0f; gRPC and the client alone: %.0f; with a stock no-op processor: %.0f", oursLarge, bareLarge, noopLarge)
	perChunk := (oursLarge - ours - (bareLarge - bare)) / chunks
	t.Logf("ours per chunk of 16 KB: %.2f", perChunk)
	if perChunk > 1.5 {
		t.Errorf("%.2f allocations per chunk, beside gRPC's", perChunk)
	}
	if ours-bare > 250 {
		t.Errorf("%.0f allocations per exchange, beside gRPC's", ours-bare)
	}
}
