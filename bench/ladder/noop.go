package ladder

import (
	"fmt"
	"net"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/graphveil/graphveil/bench/peers"
)

// serveNoop is the processor that does nothing, on a Unix socket: with all of grpc-go's defaults but one. Envoy asks whether the connection lives more often than they permit, for which they would close it.
func serveNoop(socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))
	extprocv3.RegisterExternalProcessorServer(server, peers.Noop{})
	fmt.Println("listening")
	return server.Serve(listener)
}
