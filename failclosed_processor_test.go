package main

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/process"
)

var processorFailures = []failure{
	{"processor absent", "before the request", turnedAway, func(r *rig, protocol string) wireResponse {
		r.kill()
		return r.ask(protocol)
	}, (*rig).replace},

	{"processor killed (SIGKILL)", "it has the request headers", turnedAway, func(r *rig, protocol string) wireResponse {
		r.signal(syscall.SIGSTOP) // so that it does not answer them
		return r.meanwhile(protocol, r.sent(1), r.kill)
	}, (*rig).replace},
	{"processor killed (SIGKILL)", "Graph has the request", turnedAway, func(r *rig, protocol string) wireResponse {
		r.Graph.Inject(graph.Fault{Hold: time.Hour})
		return r.meanwhile(protocol, r.arrived(), r.kill)
	}, (*rig).replace},
	{"processor killed (SIGKILL)", "it has the response headers", turnedAway, func(r *rig, protocol string) wireResponse {
		r.Graph.Inject(graph.Fault{Cut: graph.CutStall})
		return r.meanwhile(protocol, r.sent(2), r.kill)
	}, (*rig).replace},
	{"processor killed (SIGKILL)", "it has the first body chunk", refusedOrCut, func(r *rig, protocol string) wireResponse {
		r.Graph.Inject(graph.Fault{Cut: graph.CutStall, CutAfter: 1000})
		return r.meanwhile(protocol, r.sent(3), r.kill)
	}, (*rig).replace},
	{"processor killed (SIGKILL)", "in the middle of the body", cutOff, func(r *rig, protocol string) wireResponse {
		return r.midBody(protocol, r.kill)
	}, (*rig).replace},

	{"processor stalled (SIGSTOP)", "before the request", turnedAway, func(r *rig, protocol string) wireResponse {
		r.signal(syscall.SIGSTOP)
		return r.ask(protocol)
	}, (*rig).proceed},
	{"processor stalled (SIGSTOP)", "Graph has the request", turnedAway, func(r *rig, protocol string) wireResponse {
		r.Graph.Inject(graph.Fault{Hold: 300 * time.Millisecond})
		return r.meanwhile(protocol, r.arrived(), func() { r.signal(syscall.SIGSTOP) })
	}, (*rig).proceed},
	{"processor stalled (SIGSTOP)", "in the middle of the body", cutOff, func(r *rig, protocol string) wireResponse {
		return r.midBody(protocol, func() { r.signal(syscall.SIGSTOP) })
	}, (*rig).proceed},

	{"forced shutdown (SIGTERM, then drain_timeout)", "Graph has the request", turnedAway, func(r *rig, protocol string) wireResponse {
		r.Graph.Inject(graph.Fault{Hold: time.Hour})
		return r.meanwhile(protocol, r.arrived(), r.terminate)
	}, (*rig).serve},
	{"forced shutdown (SIGTERM, then drain_timeout)", "it has the response headers", turnedAway, func(r *rig, protocol string) wireResponse {
		r.Graph.Inject(graph.Fault{Cut: graph.CutStall})
		return r.meanwhile(protocol, r.sent(2), r.terminate)
	}, (*rig).serve},
	{"forced shutdown (SIGTERM, then drain_timeout)", "in the middle of the body", cutOff, func(r *rig, protocol string) wireResponse {
		return r.midBody(protocol, r.terminate)
	}, (*rig).serve},

	{"panic in the processor", "it asks for a token", turnedAway, func(r *rig, protocol string) wireResponse {
		return r.within(protocol, tokens(func() (string, error) { panic(personalMark) }), nil)
	}, (*rig).serve},
	{"panic in the processor", "it has the response headers", turnedAway, spoiled(panics, 2), (*rig).serve},
	{"panic in the processor", "it has the first body chunk", turnedAway, spoiled(panics, 3), (*rig).serve},
	{"panic in the processor", "in the middle of the body", cutOff, spoiled(panics, 4), (*rig).serve},

	{"error of the processor's token source", "it asks for a token", turnedAway, func(r *rig, protocol string) wireResponse {
		return r.within(protocol, tokens(func() (string, error) { return "", errors.New(personalMark) }), nil)
	}, (*rig).serve},
	{"gRPC error of the processor", "it has the request headers", turnedAway, spoiled(fails, 1), (*rig).serve},
	{"gRPC error of the processor", "it has the response headers", turnedAway, spoiled(fails, 2), (*rig).serve},
	{"gRPC error of the processor", "it has the first body chunk", turnedAway, spoiled(fails, 3), (*rig).serve},
	{"gRPC error of the processor", "in the middle of the body", cutOff, spoiled(fails, 4), (*rig).serve},
}

// proceed lets a stopped processor go on.
func (r *rig) proceed() { r.signal(syscall.SIGCONT) }

// terminate asks the processor to end and waits until it has.
func (r *rig) terminate() {
	r.signal(syscall.SIGTERM)
	r.gone()
}

// tokens is a token source of a processor in this process.
type tokens func() (string, error)

func (f tokens) Token(context.Context, string) (string, error) { return f() }

func (tokens) Rejected(string, string, string) (bool, time.Duration) { return false, 0 }

func panics() error { panic(personalMark) }

// fails returns a text without a mark: Envoy logs what the processor says, which
// is why the processor's own errors are codes.
func fails() error { return status.Error(codes.Unavailable, "failing") }

// spoiled runs an exchange in which receiving message n (request headers,
// response headers, first and second piece of the body) panics or fails. The
// second piece waits until the client has something of the first, which comes plain.
func spoiled(how func() error, n int) func(*rig, string) wireResponse {
	return func(r *rig, protocol string) wireResponse {
		began := make(chan struct{})
		spoil := func(received int) error {
			switch {
			case received < n:
				return nil
			case n == 4:
				select {
				case <-began:
				case <-time.After(10 * time.Second):
				}
			}
			return how()
		}
		r.Graph.Inject(graph.Fault{Encodings: []string{}, ChunkSize: 50_000, Delay: 100 * time.Millisecond})
		return r.within(protocol, tokens(func() (string, error) { return r.Token(directoryClient) }), &spoiler{spoil: spoil, began: began})
	}
}

// spoiler makes receiving from Envoy go wrong, inside of the real service.
type spoiler struct {
	grpc.ServerStream
	spoil    func(received int) error
	began    chan struct{} // closed when the client has the first bytes of the body
	received int
}

func (s *spoiler) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	s.received++
	return s.spoil(s.received)
}

// within reads failTarget through a processor in this process that replaces the
// usual one.
func (r *rig) within(protocol string, source extproc.TokenSource, spoil *spoiler) wireResponse {
	r.t.Helper()
	r.kill()
	log, err := r.config.Log.logger(r.logs)
	r.check(err)
	engine, err := policy.NewEngine(r.t.Context(), r.config.servedPolicy(), log)
	r.check(err)
	gateway, err := newGateway(r.config, engine.Current)
	r.check(err)
	server, err := extproc.NewServer(extproc.ServerConfig{Gateway: gateway, Tokens: source, Log: log, Metrics: extproc.NewMetrics(prometheus.NewRegistry())})
	r.check(err)
	service := server.NewGRPC(grpc.StreamInterceptor(
		func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if spoil != nil {
				spoil.ServerStream = stream
				stream = spoil
			}
			return handler(srv, stream)
		}))
	listener, err := process.Listen(r.config.Processor.Listen, false)
	r.check(err)
	go func() { _ = service.Serve(listener) }() // until it is stopped
	defer service.Stop()
	c := wireCall{protocol: protocol, target: failTarget}
	if spoil != nil {
		c.onBody = func() { close(spoil.began) }
	}
	return call(r.t, r.envoy.Address(), r.tls(), c)
}
