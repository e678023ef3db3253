package extproc_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	extprocfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/check"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

// leak is a way to spoil the bootstrap so that something gets out.
type leak struct {
	// code is what the check finds.
	code   string
	change func(*testing.T, *leakRig, *spoiled)
	// path is asked for; /v1.0/things if empty.
	path string
	// noProcessor leaves the processor away.
	noProcessor bool
	// toService says that it gets out to another service, which the body tells.
	toService bool
	// leaked says whether it got out.
	leaked func(*leakRig, leakSeen) bool
}

// leakSeen is what one request brought to light.
type leakSeen struct {
	header http.Header
	body   string
	// graph and other are the heads of the last request to each, and log is Envoy's
	// access log. otherBody is all that somebody else was sent.
	graph, other *http.Request
	otherBody    string
	log          string
}

func tokenAtClient(_ *leakRig, s leakSeen) bool {
	return strings.Contains(fmt.Sprint(s.header, s.body), graphToken)
}

func tokenElsewhere(_ *leakRig, s leakSeen) bool {
	return s.other != nil && strings.Contains(s.other.Header.Get("Authorization"), graphToken)
}

// TestLeaksAreFound: the real Envoy leaks with each of them, and the check says so.
func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	all := maps.Clone(leaks)
	maps.Copy(all, leaksToServices)
	for name, l := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newLeakRig(t, l)
			path := l.path
			switch path {
			case "":
				path = "/v1.0/things"
			case "person":
				path = "/v1.0/things/" + string(r.codec.AppendReversible(nil, []byte("revealed")))
			}
			seen := r.ask(t, path, l)
			if !l.leaked(r, seen) {
				t.Errorf("nothing got out: %+v", seen)
			}
			config, err := check.Read(r.bootstrap)
			if err != nil {
				t.Fatal(err)
			}
			findings := config.Check(check.Options{Hosts: []string{upstream}, RequestTimeout: 4 * time.Second})
			if !check.Failed(findings) || !slices.ContainsFunc(findings, func(f check.Finding) bool { return f.Code == l.code }) {
				t.Errorf("the check found %v", findings)
			}
		})
	}
}

// leakRig is a real Envoy between a client, a processor, Graph and somebody else.
type leakRig struct {
	*world
	envoy     *envoytest.Envoy
	authority *envoytest.Authority
	bootstrap []byte
	address   *corev3.Address

	mu           sync.Mutex
	graph, other *http.Request
	otherBody    strings.Builder
}

func newLeakRig(t *testing.T, l leak) *leakRig {
	t.Helper()
	r := &leakRig{world: newWorld(t), authority: envoytest.NewAuthority(t)}
	path := envoytest.Socket(t)
	if !l.noProcessor {
		listener, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		processor := r.server.NewGRPC()
		go processor.Serve(listener)
		t.Cleanup(processor.Stop)
	}
	graph := r.serve(t, &r.graph, upstream)
	other := r.serve(t, &r.other, "other.example")
	host, port, err := net.SplitHostPort(other)
	if err != nil {
		t.Fatal(err)
	}
	var number uint32
	fmt.Sscan(port, &number)
	r.address = &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: number},
	}}}
	r.envoy = envoytest.StartChanged(t, r.authority, envoy.Config{
		Processor: path,
		Upstream:  envoy.Upstream{Host: upstream, Address: graph},
	}, func(b *bootstrapv3.Bootstrap) {
		s := takeApart(t, b)
		l.change(t, r, s)
		s.together(t)
		if r.bootstrap, err = envoy.JSON(b); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

// serve answers like Graph, and remembers in last what it was asked.
func (r *leakRig) serve(t *testing.T, last **http.Request, name string) (address string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, asked *http.Request) {
		r.mu.Lock()
		*last = asked.Clone(t.Context())
		r.mu.Unlock()
		if last == &r.other {
			io.Copy(r, asked.Body)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"value":[{"size":1,"secret":"`+canary+`"}]}`)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{r.authority.Issue(t, name).TLS}}
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// Write keeps what somebody else is sent.
func (r *leakRig) Write(data []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.otherBody.Write(data)
}

// ask sends one request, and waits a while for what copies of it shall show. Logs are
// written when Envoy ends.
func (r *leakRig) ask(t *testing.T, path string, l leak) leakSeen {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", r.envoy.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "host-of-the-caller.example"
	request.Header.Set("X-To", "graph")
	response, err := r.envoy.Client(t, true).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	seen := func() leakSeen {
		r.mu.Lock()
		defer r.mu.Unlock()
		return leakSeen{header: response.Header, body: string(body), graph: r.graph, other: r.other, otherBody: r.otherBody.String()}
	}
	patience := 2 * time.Second
	if l.toService { // which is told when Envoy empties its buffers
		patience = 20 * time.Second
	}
	for end := time.Now().Add(patience); !l.leaked(r, seen()) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	log := fmt.Sprint(r.envoy.AccessLog(t))
	all := seen()
	all.log = log
	return all
}

// addOther adds a cluster that leads to somebody else and accepts whom it has to be,
// or name if there is one.
func (r *leakRig) addOther(t *testing.T, s *spoiled, name string) {
	t.Helper()
	other := proto.CloneOf(s.cluster(t, "graph"))
	other.Name, other.LoadAssignment.ClusterName = "other", "other"
	other.LoadAssignment.Endpoints[0].LbEndpoints[0].GetEndpoint().Address = r.address
	context := &tlsv3.UpstreamTlsContext{}
	if err := other.GetTransportSocket().GetTypedConfig().UnmarshalTo(context); err != nil {
		t.Fatal(err)
	}
	if name == "" {
		name = "other.example"
	}
	context.Sni = name
	context.CommonTlsContext.GetValidationContext().MatchTypedSubjectAltNames[0].Matcher = &matcherv3.StringMatcher{
		MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name},
	}
	other.GetTransportSocket().GetTypedConfig().Value = packed(t, context).Value
	s.bootstrap.StaticResources.Clusters = append(s.bootstrap.StaticResources.Clusters, other)
}

// spoiled is a bootstrap that is taken apart to be changed.
type spoiled struct {
	bootstrap *bootstrapv3.Bootstrap
	hcm       *hcmv3.HttpConnectionManager
}

func takeApart(t *testing.T, b *bootstrapv3.Bootstrap) *spoiled {
	t.Helper()
	s := &spoiled{bootstrap: b, hcm: &hcmv3.HttpConnectionManager{}}
	if err := s.connectionManager().UnmarshalTo(s.hcm); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *spoiled) together(t *testing.T) {
	t.Helper()
	s.connectionManager().Value = packed(t, s.hcm).Value
}

// connectionManager is the last filter of the listener's only chain.
func (s *spoiled) connectionManager() *anypb.Any {
	filters := s.bootstrap.StaticResources.Listeners[0].FilterChains[0].Filters
	return filters[len(filters)-1].GetTypedConfig()
}

func (s *spoiled) host() *routev3.VirtualHost { return s.hcm.GetRouteConfig().VirtualHosts[0] }

func (s *spoiled) route() *routev3.Route { return s.host().Routes[0] }

func (s *spoiled) at(t *testing.T, name string) int {
	t.Helper()
	i := slices.IndexFunc(s.hcm.HttpFilters, func(f *hcmv3.HttpFilter) bool { return f.Name == name })
	if i < 0 {
		t.Fatal("no filter " + name)
	}
	return i
}

func (s *spoiled) filter(t *testing.T, name string) *hcmv3.HttpFilter {
	t.Helper()
	return s.hcm.HttpFilters[s.at(t, name)]
}

// insert puts a filter before another.
func (s *spoiled) insert(t *testing.T, before, name string, m proto.Message) {
	t.Helper()
	s.hcm.HttpFilters = slices.Insert(s.hcm.HttpFilters, s.at(t, before), &hcmv3.HttpFilter{
		Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, m)},
	})
}

func (s *spoiled) set(t *testing.T, name string, m proto.Message) {
	t.Helper()
	s.filter(t, name).ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, m)}
}

func (s *spoiled) extProc(t *testing.T, change func(*extprocfilterv3.ExternalProcessor)) {
	t.Helper()
	p := &extprocfilterv3.ExternalProcessor{}
	if err := s.filter(t, "envoy.filters.http.ext_proc").GetTypedConfig().UnmarshalTo(p); err != nil {
		t.Fatal(err)
	}
	change(p)
	s.set(t, "envoy.filters.http.ext_proc", p)
}

func (s *spoiled) cluster(t *testing.T, name string) *clusterv3.Cluster {
	t.Helper()
	for _, c := range s.bootstrap.StaticResources.Clusters {
		if c.Name == name {
			return c
		}
	}
	t.Fatal("no cluster " + name)
	return nil
}

// options changes how a cluster speaks HTTP.
func (s *spoiled) options(t *testing.T, cluster string, change func(*upstreamhttpv3.HttpProtocolOptions)) {
	t.Helper()
	const key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
	c, o := s.cluster(t, cluster), &upstreamhttpv3.HttpProtocolOptions{}
	if err := c.TypedExtensionProtocolOptions[key].UnmarshalTo(o); err != nil {
		t.Fatal(err)
	}
	change(o)
	c.TypedExtensionProtocolOptions[key] = packed(t, o)
}

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func appendHeader(name, value string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
		Header: &corev3.HeaderValue{Key: name, Value: value}, AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}}}
}
