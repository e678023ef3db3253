package operations

import (
	"context"
	"net"
	"sync/atomic"

	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// quota is a rate limit service that fails at first. deploy/kit/ratelimit has a real one.
type quota struct {
	rlsv3.UnimplementedRateLimitServiceServer
	address string
	asked   atomic.Int64
	full    atomic.Bool
	stop    func()
}

// ShouldRateLimit implements the service.
func (q *quota) ShouldRateLimit(context.Context, *rlsv3.RateLimitRequest) (*rlsv3.RateLimitResponse, error) {
	switch {
	case q.asked.Add(1) == 1:
		return nil, status.Error(codes.Unavailable, "the store is away")
	case q.full.Load():
		return &rlsv3.RateLimitResponse{OverallCode: rlsv3.RateLimitResponse_OVER_LIMIT}, nil
	}
	return &rlsv3.RateLimitResponse{OverallCode: rlsv3.RateLimitResponse_OK}, nil
}

func startQuota() (*quota, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer()
	q := &quota{address: listener.Addr().String(), stop: server.Stop}
	rlsv3.RegisterRateLimitServiceServer(server, q)
	go server.Serve(listener)
	return q, nil
}
