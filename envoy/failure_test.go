package envoy_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

const canary = "raw value"

func secret(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, canary)
}

func TestProcessorAbsent(t *testing.T) {
	t.Parallel()
	a := envoytest.NewAuthority(t)
	u := newUpstream(t, a, true, secret)
	for name, processor := range map[string]string{
		"no socket": envoytest.Socket(t),
		"no port":   closedPort(t),
	} {
		r := envoytest.Start(t, a, envoy.Config{
			Processor: processor,
			Upstream:  envoy.Upstream{Host: upstreamName, Address: u.address},
		})
		for protocol, http2 := range protocols {
			t.Run(name+" over "+protocol, func(t *testing.T) {
				wantError(t, send(t, r.Client(t, http2), "GET", r.URL+"/"), 502, "badGateway")
			})
		}
	}
	if n := len(u.seen()); n != 0 {
		t.Errorf("upstream saw %d requests", n)
	}
}

// closedPort is a loopback address that refuses connections.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestProcessorFails(t *testing.T) {
	t.Parallel()
	fail := func(map[string]string) *extprocv3.ProcessingResponse { return nil }
	for name, s := range map[string]*stub{
		"at the request":  {request: fail},
		"at the response": {response: fail},
		"wrong answer at the request": {request: func(map[string]string) *extprocv3.ProcessingResponse {
			return responseHeaders(nil)
		}},
		"wrong answer at the response": {response: func(map[string]string) *extprocv3.ProcessingResponse {
			return allow(nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, s, secret)
			for _, http2 := range protocols {
				wantError(t, send(t, r.Client(t, http2), "GET", r.URL+"/"), 502, "badGateway")
			}
		})
	}
}

// A processor that does not answer costs as long as the configuration says: for
// a request Timeouts.Processor, for a response Timeouts.Idle.
func TestProcessorHangs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	hang := func(map[string]string) *extprocv3.ProcessingResponse {
		<-release
		return nil
	}
	for name, s := range map[string]*stub{
		"at the request":  {request: hang},
		"at the response": {response: hang},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, s, secret, func(c *envoy.Config) {
				c.Timeouts.Processor, c.Timeouts.Idle, c.Retry.Count = 300*time.Millisecond, 600*time.Millisecond, -1
			})
			start := time.Now()
			wantError(t, send(t, r.Client(t, true), "GET", r.URL+"/"), 504, "gatewayTimeout")
			// Envoy's timers run from the time at which its event loop last looked at
			// the clock, so one may end some milliseconds early.
			if took := time.Since(start); took < 280*time.Millisecond || took > 4500*time.Millisecond {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A processor that neither answers nor closes its connection, as when its
// process is stopped, is noticed by HTTP/2 pings.
func TestProcessorStops(t *testing.T) {
	t.Parallel()
	a := envoytest.NewAuthority(t)
	u := newUpstream(t, a, true, secret)
	s := &stub{}
	path := envoytest.Socket(t)
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	gate := &gatedListener{Listener: listener, stopped: make(chan struct{}), resumed: make(chan struct{})}
	var once sync.Once
	s.response = func(map[string]string) *extprocv3.ProcessingResponse {
		once.Do(func() { close(gate.stopped) })
		<-gate.resumed
		return nil
	}
	server := grpc.NewServer()
	extprocv3.RegisterExternalProcessorServer(server, s)
	go server.Serve(gate)
	t.Cleanup(server.Stop)
	t.Cleanup(func() { close(gate.resumed) })

	r := envoytest.Start(t, a, envoy.Config{
		Processor: path,
		Upstream:  envoy.Upstream{Host: upstreamName, Address: u.address},
	})
	start := time.Now()
	wantError(t, send(t, r.Client(t, true), "GET", r.URL+"/"), 502, "badGateway")
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("took %v", took)
	}
}

// gatedListener's connections read nothing more once stopped is closed.
type gatedListener struct {
	net.Listener
	stopped, resumed chan struct{}
}

type gatedConn struct {
	net.Conn
	gate *gatedListener
}

func (l *gatedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gatedConn{conn, l}, nil
}

func (c *gatedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.gate.stopped:
		<-c.gate.resumed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func TestUpstreamRefused(t *testing.T) {
	t.Parallel()
	a := envoytest.NewAuthority(t)
	for name, upstream := range map[string]func(t *testing.T) (address, caFile string){
		"another name": func(t *testing.T) (string, string) {
			return newUpstream(t, a, true, secret, "other.example").address, a.File
		},
		"a name below": func(t *testing.T) (string, string) {
			return newUpstream(t, a, true, secret, "a."+upstreamName, "127.0.0.1").address, a.File
		},
		"another authority": func(t *testing.T) (string, string) {
			return newUpstream(t, envoytest.NewAuthority(t), true, secret).address, a.File
		},
		"not there": func(t *testing.T) (string, string) { return closedPort(t), a.File },
	} {
		t.Run(name, func(t *testing.T) {
			address, caFile := upstream(t)
			s := &stub{verbatim: true}
			r := envoytest.Start(t, a, envoy.Config{
				Processor: s.serve(t),
				Upstream:  envoy.Upstream{Host: upstreamName, Address: address, CAFile: caFile},
			})
			for _, http2 := range protocols {
				wantError(t, send(t, r.Client(t, http2), "GET", r.URL+"/"), 503, "serviceNotAvailable")
			}
		})
	}
}

// A stream that the upstream breaks off never looks whole to the caller.
func TestUpstreamBreaksOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stub{}, func(w http.ResponseWriter, r *http.Request) {
		secret(w, r)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	for name, http2 := range protocols {
		t.Run(name, func(t *testing.T) {
			response, err := r.Client(t, http2).Get(r.URL + "/")
			if err != nil {
				return
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err == nil && response.StatusCode == 200 {
				t.Errorf("got a whole response of %d bytes", len(body))
			}
			if strings.Contains(string(body), canary) {
				t.Error("the caller saw what the processor did not release")
			}
		})
	}
}

func TestRequestLimit(t *testing.T) {
	t.Parallel()
	hold, arrived := make(chan struct{}), make(chan struct{})
	s := &stub{verbatim: true}
	r := newRig(t, s, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-hold
		secret(w, r)
	}, func(c *envoy.Config) { c.Limits.Requests = 1 })
	client := r.Client(t, true)
	first := make(chan reply)
	go func() {
		response, err := client.Get(r.URL + "/")
		if err != nil {
			t.Error(err)
			close(first)
			return
		}
		defer response.Body.Close()
		first <- reply{status: response.StatusCode}
	}()
	<-arrived
	wantError(t, send(t, client, "GET", r.URL+"/"), 502, "badGateway")
	close(hold)
	if got := <-first; got.status != 200 {
		t.Errorf("the first request got %d", got.status)
	}
}

func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stub{}, hello, func(c *envoy.Config) { c.Limits.Connections = 1 })
	client := r.Client(t, true)
	if got := send(t, client, "GET", r.URL+"/"); got.status != 200 {
		t.Fatalf("got %d", got.status)
	}
	if response, err := r.Client(t, true).Get(r.URL + "/"); err == nil {
		response.Body.Close()
		t.Errorf("a second connection got %d", response.StatusCode)
	}
	if got := send(t, client, "GET", r.URL+"/"); got.status != 200 {
		t.Errorf("the first connection got %d", got.status)
	}
	if got := adminGet(t, r.Admin(), "GET", "/ready"); got != 200 {
		t.Errorf("readiness got %d", got)
	}
}
