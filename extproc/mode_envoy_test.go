package extproc_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	extprocfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

// TestModeOfARealEnvoy runs the real Envoy in each mode that is refused, with the
// guard behind the filter and without, failing closed and failing open: the client
// gets an error and not one byte of the upstream.
func TestModeOfARealEnvoy(t *testing.T) {
	t.Parallel()
	type filter = *extprocfilterv3.ExternalProcessor
	modes := map[string]func(filter){
		"response_body_mode NONE":             func(f filter) { f.ProcessingMode.ResponseBodyMode = modeNone },
		"response_body_mode STREAMED":         func(f filter) { f.ProcessingMode.ResponseBodyMode = modeStreams },
		"response_body_mode BUFFERED":         func(f filter) { f.ProcessingMode.ResponseBodyMode = modeBuffers },
		"response_body_mode BUFFERED_PARTIAL": func(f filter) { f.ProcessingMode.ResponseBodyMode = modePartial },
		"request_body_mode STREAMED":          func(f filter) { f.ProcessingMode.RequestBodyMode = modeStreams },
		"request_body_mode BUFFERED":          func(f filter) { f.ProcessingMode.RequestBodyMode = modeBuffers },
		"request_body_mode BUFFERED_PARTIAL":  func(f filter) { f.ProcessingMode.RequestBodyMode = modePartial },
		"request_body_mode FULL_DUPLEX_STREAMED": func(f filter) {
			f.ProcessingMode.RequestBodyMode, f.ProcessingMode.RequestTrailerMode = modeDuplex, extprocfilterv3.ProcessingMode_SEND
		},
	}
	for name, change := range modes {
		for _, open := range []bool{false, true} {
			for _, guarded := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, failure_mode_allow %v, guard %v", name, open, guarded), func(t *testing.T) {
					t.Parallel()
					r := newModeRig(t, guarded, func(f filter) {
						change(f)
						f.FailureModeAllow = open
					})
					r.refuses(t, 500)
					if loud := modeLines(t, r.world); len(loud) != 1 || loud[0]["setting"].(string)+" "+loud[0]["value"].(string) != name {
						t.Errorf("logged %v", loud)
					}
				})
			}
		}
	}
	// An Envoy that only observes waits for nobody: what stops it is the guard.
	t.Run("observability_mode", func(t *testing.T) {
		t.Parallel()
		r := newModeRig(t, true, func(f filter) {
			f.ObservabilityMode, f.ProcessingMode.ResponseBodyMode = true, modeStreams
		})
		r.refuses(t, 403)
		r.log.records(t, 1)
		if loud := modeLines(t, r.world); len(loud) != 1 || loud[0]["setting"] != "observability_mode" {
			t.Errorf("logged %v", loud)
		}
	})
	t.Run("send_body_without_waiting_for_header_response", func(t *testing.T) {
		t.Parallel()
		r := newModeRig(t, true, func(f filter) { f.SendBodyWithoutWaitingForHeaderResponse = true })
		for _, http2 := range []bool{false, true} {
			status, body := r.get(t, http2)
			if status != 200 || body != `{"value":[{"size":1}]}` {
				t.Errorf("%d %s", status, body)
			}
		}
	})
}

// modeRig is a real Envoy with a changed ext_proc filter between a client, a
// processor and an upstream whose answer has a canary.
type modeRig struct {
	*world
	envoy *envoytest.Envoy
	asked atomic.Int32
}

func newModeRig(t *testing.T, guarded bool, change func(*extprocfilterv3.ExternalProcessor)) *modeRig {
	t.Helper()
	r := &modeRig{world: newWorld(t)}
	path := envoytest.Socket(t)
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	processor := r.server.NewGRPC()
	go processor.Serve(listener)
	t.Cleanup(processor.Stop)

	a := envoytest.NewAuthority(t)
	graph := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"value":[{"size":1,"secret":"`+canary+`"}]}`)
	}))
	graph.TLS = &tls.Config{Certificates: []tls.Certificate{a.Issue(t, upstream).TLS}}
	graph.EnableHTTP2 = true
	graph.StartTLS()
	t.Cleanup(graph.Close)

	r.envoy = envoytest.StartChanged(t, a, envoy.Config{
		Processor: path,
		Upstream:  envoy.Upstream{Host: upstream, Address: graph.Listener.Addr().String()},
	}, func(b *bootstrapv3.Bootstrap) { changeFilter(t, b, guarded, change) })
	return r
}

// refuses sends requests, all of which must end with an error before they reach the
// upstream.
func (r *modeRig) refuses(t *testing.T, want int) {
	t.Helper()
	for _, http2 := range []bool{false, true} {
		status, body := r.get(t, http2)
		if status != want || strings.Contains(body, canary) || strings.Contains(body, "size") || !strings.HasPrefix(body, `{"error":`) {
			t.Errorf("HTTP/2 %v: got %d %s", http2, status, body)
		}
	}
	if n := r.asked.Load(); n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

func (r *modeRig) get(t *testing.T, http2 bool) (status int, body string) {
	t.Helper()
	response, err := r.envoy.Client(t, http2).Get(r.envoy.URL + "/v1.0/things")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(raw)
}

// changeFilter changes the ext_proc filter, and takes away the guard if told so.
func changeFilter(t *testing.T, b *bootstrapv3.Bootstrap, guarded bool, change func(*extprocfilterv3.ExternalProcessor)) {
	t.Helper()
	at := b.StaticResources.Listeners[0].FilterChains[0].Filters[0]
	hcm, filter := &hcmv3.HttpConnectionManager{}, &extprocfilterv3.ExternalProcessor{}
	if err := at.GetTypedConfig().UnmarshalTo(hcm); err != nil {
		t.Fatal(err)
	}
	var kept []*hcmv3.HttpFilter
	changed := false
	for _, f := range hcm.HttpFilters {
		if f.Name == "envoy.filters.http.rbac" && !guarded {
			continue
		}
		if f.Name == "envoy.filters.http.ext_proc" {
			if err := f.GetTypedConfig().UnmarshalTo(filter); err != nil {
				t.Fatal(err)
			}
			change(filter)
			if err := f.GetTypedConfig().MarshalFrom(filter); err != nil {
				t.Fatal(err)
			}
			changed = true
		}
		kept = append(kept, f)
	}
	if !changed || !guarded && len(kept) == len(hcm.HttpFilters) {
		t.Fatal("the bootstrap has not the filters that it should have")
	}
	hcm.HttpFilters = kept
	packed, err := anypb.New(hcm)
	if err != nil {
		t.Fatal(err)
	}
	at.GetTypedConfig().Value = packed.Value
}
