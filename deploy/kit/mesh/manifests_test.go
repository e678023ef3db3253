package mesh

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	istiov1a3 "istio.io/api/networking/v1alpha3"
	securityv1b1 "istio.io/api/security/v1beta1"
	telemetryv1a1 "istio.io/api/telemetry/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gwapiv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/graphveil/graphveil/envoy"
)

const (
	gatewayFolder = "../../envoy-gateway"
	istioFolder   = "../../istio"
)

// documents are the YAML documents of files.
func documents(t *testing.T, pattern string) [][]byte {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files (%v)", pattern, err)
	}
	var out [][]byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, bytes.Split(text, []byte("\n---\n"))...)
	}
	return out
}

// istio is a resource whose spec is a proto, which is decoded by itself: Istio's own
// types accept keys that they do not know.
type istio struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              json.RawMessage `json:"spec"`
}

// Every resource has the keys that its type knows, and no others.
func TestManifestsAreOfTheirTypes(t *testing.T) {
	kinds := map[string]func() any{
		"v1/Namespace":                                        func() any { return &corev1.Namespace{} },
		"v1/ServiceAccount":                                   func() any { return &corev1.ServiceAccount{} },
		"v1/ConfigMap":                                        func() any { return &corev1.ConfigMap{} },
		"v1/Service":                                          func() any { return &corev1.Service{} },
		"apps/v1/Deployment":                                  func() any { return &appsv1.Deployment{} },
		"policy/v1/PodDisruptionBudget":                       func() any { return &policyv1.PodDisruptionBudget{} },
		"networking.k8s.io/v1/NetworkPolicy":                  func() any { return &networkingv1.NetworkPolicy{} },
		"networking.istio.io/v1/Gateway":                      func() any { return &istiov1a3.Gateway{} },
		"security.istio.io/v1/AuthorizationPolicy":            func() any { return &securityv1b1.AuthorizationPolicy{} },
		"gateway.networking.k8s.io/v1/GatewayClass":           func() any { return &gwapiv1.GatewayClass{} },
		"gateway.networking.k8s.io/v1/Gateway":                func() any { return &gwapiv1.Gateway{} },
		"gateway.networking.k8s.io/v1/HTTPRoute":              func() any { return &gwapiv1.HTTPRoute{} },
		"gateway.networking.k8s.io/v1/BackendTLSPolicy":       func() any { return &gwapiv1.BackendTLSPolicy{} },
		"gateway.envoyproxy.io/v1alpha1/EnvoyProxy":           func() any { return &egv1a1.EnvoyProxy{} },
		"gateway.envoyproxy.io/v1alpha1/Backend":              func() any { return &egv1a1.Backend{} },
		"gateway.envoyproxy.io/v1alpha1/EnvoyExtensionPolicy": func() any { return &egv1a1.EnvoyExtensionPolicy{} },
		"gateway.envoyproxy.io/v1alpha1/ClientTrafficPolicy":  func() any { return &egv1a1.ClientTrafficPolicy{} },
		"gateway.envoyproxy.io/v1alpha1/BackendTrafficPolicy": func() any { return &egv1a1.BackendTrafficPolicy{} },
		"gateway.envoyproxy.io/v1alpha1/EnvoyPatchPolicy":     func() any { return &egv1a1.EnvoyPatchPolicy{} },
		"networking.istio.io/v1/ServiceEntry":                 func() any { return &istiov1a3.ServiceEntry{} },
		"networking.istio.io/v1/DestinationRule":              func() any { return &istiov1a3.DestinationRule{} },
		"networking.istio.io/v1/VirtualService":               func() any { return &istiov1a3.VirtualService{} },
		"networking.istio.io/v1/Sidecar":                      func() any { return &istiov1a3.Sidecar{} },
		"networking.istio.io/v1alpha3/EnvoyFilter":            func() any { return &istiov1a3.EnvoyFilter{} },
		"telemetry.istio.io/v1/Telemetry":                     func() any { return &telemetryv1a1.Telemetry{} },
	}
	seen := map[string]bool{}
	for _, pattern := range []string{gatewayFolder + "/*.yaml", istioFolder + "/*/*.yaml"} {
		for _, document := range documents(t, pattern) {
			var is metav1.TypeMeta
			if err := yaml.Unmarshal(document, &is); err != nil {
				t.Fatal(err)
			}
			kind := is.APIVersion + "/" + is.Kind
			seen[kind] = true
			if kinds[kind] == nil {
				t.Errorf("%s is not in the table of kinds", kind)
				continue
			}
			into := kinds[kind]()
			spec, isProto := into.(proto.Message)
			if !isProto {
				if err := yaml.UnmarshalStrict(document, into); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
				continue
			}
			var resource istio
			if err := yaml.UnmarshalStrict(document, &resource); err != nil {
				t.Errorf("%s: %v", kind, err)
			} else if err := protojson.Unmarshal(resource.Spec, spec); err != nil {
				t.Errorf("%s %s: %v", kind, resource.Name, err)
			}
		}
	}
	for kind := range kinds {
		if !seen[kind] {
			t.Errorf("no %s", kind)
		}
	}
}

// own are the filters of the project's bootstrap, by name.
func own(t *testing.T) (filters map[string]*hcmv3.HttpFilter, hcm *hcmv3.HttpConnectionManager) {
	t.Helper()
	b, err := envoy.Render(envoy.Config{TLS: envoy.TLS{CertFile: "a.crt", KeyFile: "a.key"}})
	if err != nil {
		t.Fatal(err)
	}
	hcm, filters = &hcmv3.HttpConnectionManager{}, map[string]*hcmv3.HttpFilter{}
	if err := b.StaticResources.Listeners[0].FilterChains[0].Filters[0].GetTypedConfig().UnmarshalTo(hcm); err != nil {
		t.Fatal(err)
	}
	for _, f := range hcm.HttpFilters {
		filters[f.Name] = f
	}
	return filters, hcm
}

// istioFilters are the bootstrap's names of the filters that the EnvoyFilters add.
var istioFilters = map[string]string{
	"graphveil.request_id": "request_id", "graphveil.entrance": "entrance", "graphveil.guard": "envoy.filters.http.rbac", "graphveil.exit": "exit",
}

// The filters around ext_proc that Envoy ends up with are those of the bootstrap.
func TestFiltersAreOurs(t *testing.T) {
	want, _ := own(t)
	for file, names := range map[string]map[string]string{
		"envoy-gateway": {"entrance": "entrance", "graphveil.guard": "envoy.filters.http.rbac", "exit": "exit"},
		"istio-sidecar": istioFilters,
		"istio-egress":  istioFilters,
	} {
		hcm := managerOf(t, listenerOf(t, file))
		found := 0
		for _, f := range hcm.HttpFilters {
			name, ok := names[f.Name]
			if !ok {
				continue
			}
			found++
			if got, want := unpacked(t, f), unpacked(t, want[name]); !proto.Equal(got, want) {
				t.Errorf("%s: %s is\n%v\nand not\n%v", file, f.Name, got, want)
			}
		}
		if found != len(names) {
			t.Errorf("%s: %d filters of %d", file, found, len(names))
		}
		var order []string
		for _, f := range hcm.HttpFilters {
			order = append(order, f.Name)
		}
		t.Logf("%s: %s", file, strings.Join(order, ", "))
	}
}

func unpacked(t *testing.T, f *hcmv3.HttpFilter) proto.Message {
	t.Helper()
	m, err := f.GetTypedConfig().UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The pod of Envoy Gateway's proxies gets the processor by a patch, which is free text
// to the API's types.
func TestPatchOfTheProxyIsADeployment(t *testing.T) {
	for _, document := range documents(t, gatewayFolder+"/gateway.yaml") {
		var proxy egv1a1.EnvoyProxy
		if err := yaml.Unmarshal(document, &proxy); err != nil || proxy.Kind != "EnvoyProxy" {
			continue
		}
		var deployment appsv1.Deployment
		if err := yaml.UnmarshalStrict(proxy.Spec.Provider.Kubernetes.EnvoyDeployment.Patch.Value.Raw, &deployment); err != nil {
			t.Fatal(err)
		}
		hardened(t, deployment.Spec.Template.Spec.Containers)
		return
	}
	t.Error("no EnvoyProxy")
}

func TestProcessorOfTheSidecarIsHardened(t *testing.T) {
	var deployment appsv1.Deployment
	if err := yaml.UnmarshalStrict(documents(t, istioFolder+"/sidecar/processor.yaml")[0], &deployment); err != nil {
		t.Fatal(err)
	}
	hardened(t, deployment.Spec.Template.Spec.Containers)
}

// The gateway's pod has two containers. The processor alone has the token, the salt and
// the key; both have the socket; neither has a token for the API server.
func TestEgressGatewayIsHardened(t *testing.T) {
	var deployment appsv1.Deployment
	for _, document := range documents(t, istioFolder+"/egress-gateway/gateway.yaml") {
		if strings.Contains(string(document), "kind: Deployment") {
			if err := yaml.UnmarshalStrict(document, &deployment); err != nil {
				t.Fatal(err)
			}
		}
	}
	pod := deployment.Spec.Template.Spec
	hardened(t, pod.Containers)
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken || pod.ServiceAccountName == "" {
		t.Error("a token for the API server is mounted, or the account is the namespace's own")
	}
	mounts := map[string][]string{}
	for _, c := range pod.Containers {
		for _, m := range c.VolumeMounts {
			mounts[m.Name] = append(mounts[m.Name], c.Name)
		}
	}
	for _, v := range pod.Volumes {
		want := []string{"graphveil"}
		if v.EmptyDir != nil {
			want = []string{"istio-proxy", "graphveil"}
			if v.EmptyDir.Medium != corev1.StorageMediumMemory {
				t.Errorf("%s is not in memory", v.Name)
			}
		}
		if !slices.Equal(mounts[v.Name], want) {
			t.Errorf("%s is mounted by %v, want %v", v.Name, mounts[v.Name], want)
		}
	}
}

// hardened asks for each container that these manifests add: no root, no writable
// root, no capabilities, the runtime's own filter of system calls, and probes.
func hardened(t *testing.T, containers []corev1.Container) {
	t.Helper()
	if len(containers) == 0 {
		t.Fatal("no containers")
	}
	for _, c := range containers {
		s := c.SecurityContext
		if s == nil || !*s.RunAsNonRoot || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" ||
			s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s: %+v", c.Name, s)
		}
		// Istio's injector gives its proxy a probe of its own.
		if c.ReadinessProbe == nil && c.Name != "istio-proxy" {
			t.Errorf("%s: no probe", c.Name)
		}
	}
}
