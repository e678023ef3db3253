package ladder

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/graphveil/graphveil/envoy"
)

// serveNoop is the processor that does nothing, on a Unix socket: as the examples of ext_proc write one, with all of grpc-go's defaults
// but one. Envoy asks whether the connection lives more often than they permit, for which they would close it.
func serveNoop(socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))
	extprocv3.RegisterExternalProcessorServer(server, noopServer{})
	fmt.Println("listening")
	return server.Serve(listener)
}

type noopServer struct {
	extprocv3.UnimplementedExternalProcessorServer
}

// Process implements extprocv3.ExternalProcessorServer: it allows every request and sends back every chunk.
func (noopServer) Process(stream extprocv3.ExternalProcessor_ProcessServer) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		response := &extprocv3.ProcessingResponse{}
		switch m := request.GetRequest().(type) {
		case *extprocv3.ProcessingRequest_RequestHeaders:
			response.Response = &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{}}
			response.DynamicMetadata = allowed
		case *extprocv3.ProcessingRequest_ResponseHeaders:
			response.Response = &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{}}
		case *extprocv3.ProcessingRequest_ResponseBody:
			response.Response = &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{
				Response: &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{
					Mutation: &extprocv3.BodyMutation_StreamedResponse{StreamedResponse: &extprocv3.StreamedBodyResponse{
						Body: m.ResponseBody.GetBody(), EndOfStream: m.ResponseBody.GetEndOfStream(),
					}},
				}},
			}}
		case *extprocv3.ProcessingRequest_ResponseTrailers:
			response.Response = &extprocv3.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extprocv3.TrailersResponse{}}
		default:
			return status.Error(codes.Unimplemented, "a message that is not expected in this mode")
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}

// allowed is what the guard in Envoy asks for, so that both processors run behind the same filters.
var allowed = &structpb.Struct{Fields: map[string]*structpb.Value{
	envoy.MetadataNamespace: structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
		envoy.MetadataDecision: structpb.NewStringValue(envoy.DecisionAllow),
	}}),
}}
