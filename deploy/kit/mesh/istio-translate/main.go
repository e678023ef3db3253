// Istio-translate prints what Istio's control plane makes of manifests, for one proxy:
// the same code as in istiod, without a cluster. It is a module of its own, for Istio's
// is larger than all the rest.
//
//	istio-translate sidecar|gateway|client manifests.yaml dump.json [MESHCONFIG]
//	istio-translate inject manifests.yaml injected.yaml
//
// The second prints Deployments with what the injector adds.
//
// MESHCONFIG is YAML that is laid over Istio's own mesh configuration. The environment
// has istiod's settings.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/test"
)

// proxies are the one of an application with the processor in its pod, the egress
// gateway, and the one of an application that calls the gateway.
var proxies = map[string]*model.Proxy{
	"sidecar": {
		Type: model.SidecarProxy, IPAddresses: []string{"10.1.0.1"}, ID: "app.my-app", DNSDomain: "my-app.svc.cluster.local",
		ConfigNamespace: "my-app", Labels: map[string]string{"graphveil.io/client": "true"},
	},
	"gateway": {
		Type: model.Router, IPAddresses: []string{"10.1.0.2"}, ID: "egress.graphveil", DNSDomain: "graphveil.svc.cluster.local",
		ConfigNamespace: "graphveil", Labels: map[string]string{"graphveil.io/gateway": "egress"},
	},
	"client": {
		Type: model.SidecarProxy, IPAddresses: []string{"10.1.0.3"}, ID: "app.my-app", DNSDomain: "my-app.svc.cluster.local",
		ConfigNamespace: "my-app", Labels: map[string]string{"graphveil.io/egress": "true"},
	},
}

func main() {
	if len(os.Args) < 4 || proxies[os.Args[1]] == nil && os.Args[1] != "inject" {
		fmt.Fprintln(os.Stderr, "usage: istio-translate sidecar|gateway|client manifests.yaml dump.json [MESHCONFIG]\n       istio-translate inject manifests.yaml injected.yaml")
		os.Exit(2)
	}
	if err := test.Wrap(translate); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// translate writes what Envoy's admin interface would answer to /config_dump.
func translate(t test.Failer) {
	if os.Args[1] == "inject" {
		injected(t, os.Args[2], os.Args[3])
		return
	}
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		t.Fatal(err)
	}
	options := core.TestOptions{ConfigString: string(text)}
	if len(os.Args) > 4 {
		if options.MeshConfig, err = mesh.ApplyMeshConfigDefaults(os.Args[4]); err != nil {
			t.Fatal(err)
		}
	}
	s := core.NewConfigGenTest(t, options)
	proxy := proxies[os.Args[1]]
	proxy.Metadata = &model.NodeMetadata{Namespace: proxy.ConfigNamespace, Labels: proxy.Labels, IstioVersion: "1.31.4"}
	p := s.SetupProxy(proxy)
	var listeners, clusters, routes []any
	for _, l := range s.Listeners(p) {
		listeners = append(listeners, map[string]any{"active_state": map[string]any{"listener": packed(t, l)}})
	}
	for _, c := range s.Clusters(p) {
		clusters = append(clusters, map[string]any{"cluster": packed(t, c)})
	}
	for _, r := range s.Routes(p) {
		routes = append(routes, map[string]any{"route_config": packed(t, r)})
	}
	const admin = "type.googleapis.com/envoy.admin.v3."
	out, err := json.MarshalIndent(map[string]any{"configs": []any{
		map[string]any{"@type": admin + "ClustersConfigDump", "dynamic_active_clusters": clusters},
		map[string]any{"@type": admin + "ListenersConfigDump", "dynamic_listeners": listeners},
		map[string]any{"@type": admin + "RoutesConfigDump", "dynamic_route_configs": routes},
	}}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Args[3], append(out, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func packed(t test.Failer, m proto.Message) map[string]any {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	fields["@type"] = "type.googleapis.com/" + string(proto.MessageName(m))
	return fields
}
