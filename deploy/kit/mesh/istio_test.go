package mesh

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/graphveil/graphveil/envoy/envoytest"
)

func without(names ...string) func(*hcmv3.HttpConnectionManager) {
	return func(hcm *hcmv3.HttpConnectionManager) {
		hcm.HttpFilters = slices.DeleteFunc(hcm.HttpFilters, func(f *hcmv3.HttpFilter) bool { return slices.Contains(names, f.GetName()) })
	}
}

// Who calls the egress gateway is known by the certificate of the mesh alone, to
// Istio's AuthorizationPolicy and to Graphveil's policy.
func TestEgressCallers(t *testing.T) {
	t.Parallel()
	const other = "spiffe://cluster.local/ns/other/sa/other"
	for _, test := range []struct {
		name     string
		change   func(*hcmv3.HttpConnectionManager)
		refusals string // of who is known to the mesh, but not named
	}{
		{"both", unchanged, "request_refused"},
		{"the policy alone", without("envoy.filters.http.rbac"), "denied_by_policy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, "istio-egress", small, test.change)
			startProcessor(t, r.socket)
			if response, _, err := r.get(t, "/v1.0/things"); err != nil || response.StatusCode != 200 {
				t.Fatalf("the application: %v (%v)", response, err)
			}
			asked, _ := r.graph.asked()
			for _, names := range [][]string{{other}, {"my-app.my-app.svc"}, {"spiffe://cluster.local/ns/my-app/sa/my-app-2"}, {"https://cluster.local/ns/my-app/sa/my-app"}, {other, appID}} {
				r.client = r.as(t, names...)
				if slices.Contains(names, appID) && test.refusals == "request_refused" {
					continue // Istio looks at all names, the policy sees the first: both have to agree
				}
				r.refused(t, "/v1.0/things", 403, test.refusals)
			}
			r.client = r.as(t)
			if response, _, err := r.get(t, "/v1.0/things"); err == nil {
				t.Errorf("without a certificate: %v", response)
			}
			stranger := *r
			stranger.authority = envoytest.NewAuthority(t)
			r.client = stranger.as(t, appID)
			r.client.Transport.(*http.Transport).TLSClientConfig.RootCAs = r.authority.Pool()
			if response, _, err := r.get(t, "/v1.0/things"); err == nil {
				t.Errorf("with a certificate of another mesh: %v", response)
			}
			if n, _ := r.graph.asked(); n != asked {
				t.Errorf("Graph was asked %d times", n-asked)
			}
		})
	}
}

// An application calls Graph by its name through its own proxy, which knows no other
// way than to the gateway, by mesh TLS.
func TestEgressThroughTheMesh(t *testing.T) {
	t.Parallel()
	r := newRig(t, "istio-egress", small, unchanged)
	startProcessor(t, r.socket)
	client := func(app, gateway string) *rig {
		at := netip.MustParseAddrPort(gateway)
		b := static(t, "istio-egress-client", place{
			caFile: r.authority.File, own: r.authority.Issue(t, app), upstream: loopback(uint32(at.Port())).GetSocketAddress(),
		}, without("istio.alpn"))
		c := &rig{graph: r.graph, process: start(t, b, canary, graphToken), authority: r.authority}
		c.url, c.client = "http://"+c.process.Address(), c.as(t)
		return c
	}
	gateway := r.process.Address()
	c := client(appID, gateway)
	response, body, err := c.get(t, "/v1.0/things")
	if err != nil || response.StatusCode != 200 || string(body) != `{"value":[{"size":1}]}` {
		t.Fatalf("got %v %s (%v)", response, body, err)
	}
	if _, seen := r.graph.asked(); seen.Host != "graph.microsoft.com" || seen.Header.Get("Authorization") != "Bearer "+graphToken {
		t.Errorf("Graph was asked as %s with %v", seen.Host, seen.Header)
	}
	asked, _ := r.graph.asked()
	c.refused(t, "/v1.0/others", 403, "path_not_allowed")
	other := client("spiffe://cluster.local/ns/other/sa/other", gateway)
	other.refused(t, "/v1.0/things", 403, "request_refused")

	// Somebody else in the gateway's place, known to the mesh or not, is told nothing.
	for _, test := range []struct {
		name  string
		pair  envoytest.Pair
		heard int32
	}{
		{"who has the gateway's name", r.authority.Issue(t, gatewayID), 1},
		{"who has another name", r.authority.Issue(t, "spiffe://cluster.local/ns/other/sa/other"), 0},
		{"who has it from another authority", envoytest.NewAuthority(t).Issue(t, gatewayID), 0},
	} {
		var heard atomic.Int32
		listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{test.pair.TLS}, NextProtos: []string{"istio"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				if _, err := conn.Read(make([]byte, 1)); err == nil {
					heard.Add(1)
				}
				conn.Close()
			}
		}()
		c := client(appID, listener.Addr().String())
		if response, _, err := c.get(t, "/v1.0/things"); err != nil || response.StatusCode != 503 || heard.Load() != test.heard {
			t.Errorf("%s was asked %d times, the application got %v (%v)", test.name, heard.Load(), response, err)
		}
	}
	if n, _ := r.graph.asked(); n != asked {
		t.Errorf("Graph was asked %d times", n-asked)
	}
}

// Wherever a route leads: nothing but Graph's cluster is sent an access token.
func TestDestination(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"istio-sidecar", "istio-egress"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, name, small, func(hcm *hcmv3.HttpConnectionManager) {
				for _, host := range hcm.GetRouteConfig().GetVirtualHosts() {
					for _, route := range host.GetRoutes() {
						if action := route.GetRoute(); action != nil {
							action.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: "elsewhere"}
						}
					}
				}
			}, "elsewhere")
			startProcessor(t, r.socket)
			r.refused(t, "/v1.0/things", 403, "notAllowed")
			if n, _ := r.graph.asked(); n != 0 {
				t.Errorf("it was asked %d times", n)
			}
		})
	}
}

// What callers may try on a connection that is not a plain GET. Whatever happens: no
// token, nothing undecided, and Graph is asked for nothing that was not decided.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	const get = "GET /v1.0/things HTTP/1.1\r\nHost: graph.microsoft.com\r\n"
	r := newRig(t, "istio-sidecar", small, unchanged)
	startProcessor(t, r.socket)
	for _, test := range []struct{ name, request, want string }{
		{"upgrade", get + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", "400 body_not_allowed"},
		{"connect", "CONNECT graph.microsoft.com:443 HTTP/1.1\r\nHost: graph.microsoft.com:443\r\n\r\n", "400 body_not_allowed"},
		{"another host", "GET /v1.0/things HTTP/1.1\r\nHost: neighbour.example.com:8480\r\n\r\n", "403 notAllowed"},
		{"another target", "GET http://neighbour.example.com:8480/v1.0/things HTTP/1.1\r\nHost: graph.microsoft.com\r\n\r\n", "403 notAllowed"},
		{"a write", "POST /v1.0/things HTTP/1.1\r\nHost: graph.microsoft.com\r\nContent-Length: 2\r\n\r\n{}", "400 body_not_allowed"},
		{"a write without a body", "POST /v1.0/things HTTP/1.1\r\nHost: graph.microsoft.com\r\nContent-Length: 0\r\n\r\n", "403 method_not_allowed"},
		{"a body", get + "Content-Length: 2\r\n\r\n{}", "400 body_not_allowed"},
		{"chunks and trailers", get + "Transfer-Encoding: chunked\r\nTrailer: authorization\r\n\r\n0\r\nauthorization: Bearer of-the-caller\r\n\r\n", "400 body_not_allowed"},
		{"two lengths", get + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "closed"},
		{"HTTP/1.0", "GET /v1.0/things HTTP/1.0\r\nHost: graph.microsoft.com\r\n\r\n", "closed"},
		{"trace", "TRACE /v1.0/things HTTP/1.1\r\nHost: graph.microsoft.com\r\n\r\n", "403 method_not_allowed"},
		// These ask, as if nothing had been said besides.
		{"upgrade to h2c", get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "200 size"},
		{"orders", get + "x-envoy-original-dst-host: 127.0.0.1:1\r\nx-envoy-force-trace: 1\r\nx-envoy-decorator-operation: b\r\nbaggage: c=d\r\n\r\n", "200 size"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, _ := r.graph.asked()
			conn, err := net.Dial("tcp", r.process.Address())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.WriteString(conn, test.request); err != nil {
				t.Fatal(err)
			}
			got, text := "closed", ""
			if response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{}); err == nil {
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				if err != nil {
					t.Error(err)
				}
				status, code, _ := strings.Cut(test.want, " ")
				got, text = fmt.Sprint(response.StatusCode), fmt.Sprint(response.Header, string(body))
				if strings.Contains(text, code) && status == got {
					got = test.want
				}
			}
			if got != test.want || strings.Contains(text, canary) || strings.Contains(text, graphToken) {
				t.Errorf("got %s %s, want %s", got, text, test.want)
			}
			n, seen := r.graph.asked()
			if asks := strings.HasPrefix(test.want, "200"); asks != (n > before) {
				t.Errorf("Graph was asked %d times", n-before)
			} else if asks {
				for header := range seen.Header {
					if !slices.Contains([]string{"Accept", "Accept-Encoding", "Authorization", "User-Agent"}, header) {
						t.Errorf("Graph was told %s", header)
					}
				}
			}
		})
	}
}

// HTTP/2 without TLS, which Istio's listener speaks too: trailers of a request, and a
// CONNECT for another protocol.
func TestOddStreams(t *testing.T) {
	t.Parallel()
	r := newRig(t, "istio-sidecar", small, unchanged)
	startProcessor(t, r.socket)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	r.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	if response, body, err := r.get(t, "/v1.0/things"); err != nil || response.ProtoMajor != 2 || string(body) != `{"value":[{"size":1}]}` {
		t.Fatalf("got %v %s (%v)", response, body, err)
	}
	asked, _ := r.graph.asked()
	for name, change := range map[string]func(*http.Request){
		"trailers": func(q *http.Request) {
			q.Body, q.ContentLength = io.NopCloser(strings.NewReader("")), -1
			q.Trailer = http.Header{"Authorization": {"Bearer of-the-caller"}}
		},
		"connect": func(q *http.Request) { q.Method, q.URL.Path = http.MethodConnect, "" },
	} {
		request, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/v1.0/things", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "graph.microsoft.com"
		change(request)
		response, err := r.client.Do(request)
		if err != nil {
			continue // reset
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if text := fmt.Sprint(response.Header, string(body)); response.StatusCode < 400 || strings.Contains(text, canary) || strings.Contains(text, graphToken) {
			t.Errorf("%s: got %d %s", name, response.StatusCode, text)
		}
	}
	if n, _ := r.graph.asked(); n != asked {
		t.Errorf("Graph was asked %d times", n-asked)
	}
}

// The admin interface of the pod's proxy serves what Istio asks it for, and what the
// check reads; nothing by which the application could change the proxy or its log.
func TestAdminOverride(t *testing.T) {
	t.Parallel()
	var first string
	for _, file := range []string{istioFolder + "/sidecar/admin.yaml", istioFolder + "/egress-gateway/gateway.yaml"} {
		override := ""
		for _, document := range documents(t, file) {
			var m corev1.ConfigMap
			if yaml.Unmarshal(document, &m) == nil && m.Kind == "ConfigMap" {
				override = strings.TrimSpace(m.Data["custom_bootstrap.json"])
			}
		}
		if override == "" || first != "" && override != first {
			t.Fatalf("%s: no override, or another one", file)
		}
		first = override
	}
	dir := t.TempDir()
	// As in Istio's bootstrap; the port is free.
	bootstrap, addresses := filepath.Join(dir, "envoy.json"), filepath.Join(dir, "address")
	if err := os.WriteFile(bootstrap, []byte(`{"admin":{"profile_path":"`+dir+`/prof","address":{"socket_address":{"address":"127.0.0.1","port_value":0}}},
		"layered_runtime":{"layers":[{"name":"admin","admin_layer":{}}]}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(envoytest.Binary(t), "-c", bootstrap, "--config-yaml", first, "--admin-address-path", addresses, "--log-level", "error", "--disable-hot-restart", "--concurrency", "1")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	var address []byte
	for deadline := time.Now().Add(20 * time.Second); len(address) == 0; time.Sleep(50 * time.Millisecond) {
		if address, _ = os.ReadFile(addresses); time.Now().After(deadline) {
			t.Fatal("no admin interface")
		}
	}
	ask := func(method, path string) int {
		request, err := http.NewRequestWithContext(context.Background(), method, "http://"+string(address)+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	for _, path := range []string{
		"/logging?level=debug", "/logging?http=trace", "/runtime_modify?a=b", "/quitquitquit", "/healthcheck/fail", "/tap", "/cpuprofiler?enable=y", "/heapprofiler?enable=y",
		"/reset_counters", "/reopen_logs", "/heap_dump", "/allocprofiler?enable=y",
	} {
		if status := ask("POST", path); status != 403 {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, path := range []string{"/", "/help", "/runtime", "/memory", "/contention"} {
		if status := ask("GET", path); status != 403 {
			t.Errorf("%s: %d", path, status)
		}
	}
	// What pilot-agent, its drain, Prometheus and `graphveil envoy check` ask for.
	for _, path := range []string{"/stats?usedonly&filter=^server", "/stats/prometheus", "/server_info", "/ready", "/config_dump?include_eds", "/clusters?format=json", "/listeners", "/certs"} {
		if status := ask("GET", path); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status := ask("POST", "/drain_listeners?inboundonly&graceful&skip_exit"); status != 200 {
		t.Errorf("/drain_listeners: %d", status)
	}
	if !json.Valid([]byte(first)) {
		t.Error("the override is not JSON")
	}
}

// What Istio's injector makes of the pods: the proxy gets the socket, the list for its
// admin interface and the log levels, and nothing of what is the processor's alone.
func TestInjected(t *testing.T) {
	for _, name := range []string{"istio-sidecar-pod", "istio-egress-pod"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("testdata/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var deployment appsv1.Deployment
			if err := yaml.Unmarshal(text, &deployment); err != nil {
				t.Fatal(err)
			}
			pod := deployment.Spec.Template.Spec
			mounts, containers := map[string][]string{}, map[string]corev1.Container{}
			for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
				containers[c.Name] = c
				for _, m := range c.VolumeMounts {
					mounts[m.Name] = append(mounts[m.Name], c.Name)
				}
			}
			for volume, want := range map[string][]string{
				"graphveil-socket": {"graphveil", "istio-proxy"}, "graphveil-config": {"graphveil"}, "graphveil-files": {"graphveil"}, "graphveil-identity": {"graphveil"},
				"custom-bootstrap-volume": {"istio-proxy"}, "istio-token": {"istio-proxy"}, "workload-certs": {"istio-proxy"}, "workload-socket": {"istio-proxy"},
			} {
				slices.Sort(mounts[volume])
				if !slices.Equal(mounts[volume], want) {
					t.Errorf("%s is mounted by %v, want %v", volume, mounts[volume], want)
				}
			}
			for i, v := range pod.Volumes {
				if v.VolumeSource == (corev1.VolumeSource{}) {
					pod.Volumes[i].EmptyDir = &corev1.EmptyDirVolumeSource{} // as the API server does
				}
				if v.Name == "custom-bootstrap-volume" && (v.ConfigMap.Name != "graphveil-admin" || v.ConfigMap.Optional != nil) {
					t.Errorf("the list is %+v", v.ConfigMap) // optional, a pod would start without it
				}
			}
			proxy := containers["istio-proxy"]
			for _, arg := range []string{"--proxyLogLevel=warning", "--proxyComponentLogLevel=http:info,ext_proc:info"} {
				if !slices.Contains(proxy.Args, arg) {
					t.Errorf("no %s in %v", arg, proxy.Args)
				}
			}
			if !slices.ContainsFunc(proxy.Env, func(e corev1.EnvVar) bool {
				return e.Name == "ISTIO_BOOTSTRAP_OVERRIDE" && e.Value == "/etc/istio/custom-bootstrap/custom_bootstrap.json"
			}) {
				t.Error("no ISTIO_BOOTSTRAP_OVERRIDE")
			}
			if pod.SecurityContext.FSGroup == nil || *pod.SecurityContext.FSGroup != 65532 || *proxy.SecurityContext.RunAsUser != 1337 {
				t.Errorf("%+v, the proxy is %+v", pod.SecurityContext, proxy.SecurityContext)
			}
			if name == "istio-sidecar-pod" {
				return // the application's other settings are its own
			}
			hardened(t, pod.Containers)
			// The namespace enforces the level restricted.
			evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
			if err != nil {
				t.Fatal(err)
			}
			results := evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &deployment.Spec.Template.ObjectMeta, &pod)
			if len(results) == 0 {
				t.Error("nothing was checked")
			}
			for _, r := range results {
				if !r.Allowed {
					t.Errorf("%s: %s", r.ForbiddenReason, r.ForbiddenDetail)
				}
			}
		})
	}
}

// What keeps an application from Graph on another way than through the gateway: its
// network lets it reach pods alone, its proxy knows no other way, and the gateway lets
// nobody in but the pods that are named.
func TestNothingGoesAroundTheGateway(t *testing.T) {
	networks := map[string]networkingv1.NetworkPolicy{}
	for _, document := range documents(t, istioFolder+"/egress-gateway/*.yaml") {
		var n networkingv1.NetworkPolicy
		if yaml.Unmarshal(document, &n) == nil && n.Kind == "NetworkPolicy" {
			networks[n.Namespace] = n
		}
	}
	app, gateway := networks["my-app"].Spec, networks["graphveil"].Spec
	if !slices.Contains(app.PolicyTypes, networkingv1.PolicyTypeEgress) || app.PodSelector.MatchLabels["graphveil.io/egress"] != "true" || len(app.Egress) == 0 {
		t.Errorf("the application's network: %+v", app)
	}
	for _, rule := range app.Egress {
		if len(rule.To) == 0 || slices.ContainsFunc(rule.To, func(p networkingv1.NetworkPolicyPeer) bool { return p.IPBlock != nil }) {
			t.Errorf("the application reaches more than pods: %+v", rule)
		}
	}
	if !slices.Contains(gateway.PolicyTypes, networkingv1.PolicyTypeIngress) || len(gateway.PodSelector.MatchLabels) != 0 || len(gateway.Ingress) == 0 {
		t.Errorf("the gateway's network: %+v", gateway)
	}
	for _, rule := range gateway.Ingress {
		if len(rule.From) == 0 || len(rule.Ports) == 0 || slices.ContainsFunc(rule.From, func(p networkingv1.NetworkPolicyPeer) bool {
			return p.NamespaceSelector == nil || len(p.NamespaceSelector.MatchLabels) == 0
		}) {
			t.Errorf("everybody reaches the gateway: %+v", rule)
		}
	}

	dump := readDump(t, "istio-egress-client")
	for _, c := range part[adminv3.ClustersConfigDump](t, dump).GetDynamicActiveClusters() {
		for _, locality := range unpack[clusterv3.Cluster](t, c.GetCluster()).GetLoadAssignment().GetEndpoints() {
			for _, e := range locality.GetLbEndpoints() {
				if at := e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress(); strings.HasSuffix(at, "microsoft.com") || strings.HasSuffix(at, "microsoftonline.com") {
					t.Errorf("the application's proxy connects to %s", at)
				}
			}
		}
	}
	for _, r := range part[adminv3.RoutesConfigDump](t, dump).GetDynamicRouteConfigs() {
		routes := unpack[routev3.RouteConfiguration](t, r.GetRouteConfig())
		if routes.GetName() != "8480" {
			continue
		}
		for _, host := range routes.GetVirtualHosts() {
			for _, route := range host.GetRoutes() {
				if action := route.GetRoute(); action != nil && action.GetCluster() != "outbound|8480||graph.microsoft.com" {
					t.Errorf("%s leads to %s", host.GetName(), action.GetCluster())
				}
			}
		}
		return
	}
	t.Error("no routes for the port")
}
