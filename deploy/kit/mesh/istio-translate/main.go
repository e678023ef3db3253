// Istio-translate prints what Istio's control plane makes of manifests, for one
// sidecar: the same code as in istiod, without a cluster. It is a module of its own,
// for Istio's is larger than all the rest.
//
//	istio-translate manifests.yaml dump.json
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pkg/test"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: istio-translate manifests.yaml dump.json")
		os.Exit(2)
	}
	if err := test.Wrap(translate); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// translate writes what Envoy's admin interface would answer to /config_dump.
func translate(t test.Failer) {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"graphveil.io/client": "true"}
	s := core.NewConfigGenTest(t, core.TestOptions{ConfigString: string(text)})
	p := s.SetupProxy(&model.Proxy{
		Type: model.SidecarProxy, IPAddresses: []string{"10.1.0.1"}, ID: "app.my-app", DNSDomain: "my-app.svc.cluster.local",
		ConfigNamespace: "my-app", Labels: labels, Metadata: &model.NodeMetadata{Namespace: "my-app", Labels: labels, IstioVersion: "1.31.4"},
	})
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
	if err := os.WriteFile(os.Args[2], append(out, '\n'), 0o644); err != nil {
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
