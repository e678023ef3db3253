package mesh

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/graphveil/graphveil/envoy/envoytest"
)

var (
	update = flag.Bool("update", false, "write testdata anew, with the translators that are given")
	// GRAPHVEIL_EGCTL is Envoy Gateway's command line:
	//	go install github.com/envoyproxy/gateway/cmd/egctl@v1.9.1
	egctl = os.Getenv("GRAPHVEIL_EGCTL")
	// GRAPHVEIL_ISTIO is istio-translate, built: cd istio-translate && go build -o PATH .
	istioTranslate = os.Getenv("GRAPHVEIL_ISTIO")
)

const sums = "testdata/SHA256SUMS"

// sources are the manifests that each file of testdata is made of.
var sources = map[string][]string{
	"envoy-gateway":           {gatewayFolder + "/gateway.yaml", gatewayFolder + "/patch.yaml"},
	"envoy-gateway-unpatched": {gatewayFolder + "/gateway.yaml"}, // where EnvoyPatchPolicy is not enabled
	// Without the policies that the control plane may not accept.
	"envoy-gateway-bare":   {gatewayFolder + "/gateway.yaml", gatewayFolder + "/patch.yaml"},
	"envoy-gateway-shared": {gatewayFolder + "/gateway.yaml", gatewayFolder + "/patch.yaml", "testdata/gateway-neighbours.yaml"},
	"istio-sidecar":        {istioFolder + "/sidecar/graph.yaml", istioFolder + "/sidecar/envoyfilter.yaml", neighbours},
	// Both sides are there when each is translated, as in a cluster.
	"istio-egress":        egressSources,
	"istio-egress-client": egressSources,
	"istio-sidecar-pod":   {istioFolder + "/sidecar/processor.yaml"},
	"istio-egress-pod":    {istioFolder + "/egress-gateway/gateway.yaml"},
}

var egressSources = []string{
	istioFolder + "/egress-gateway/graph.yaml", istioFolder + "/egress-gateway/envoyfilter.yaml", istioFolder + "/egress-gateway/client.yaml",
	neighbours,
}

const (
	neighbours = "testdata/neighbours.yaml"
	// meshConfig are the settings of a mesh that logs and traces all it can.
	meshConfig = "accessLogFile: /dev/stdout\nenableTracing: true"
)

// istioProxies are the names of istio-translate.
var istioProxies = map[string]string{"istio-sidecar": "sidecar", "istio-egress": "gateway", "istio-egress-client": "client"}

// What is run here is made of the manifests as they are: whoever changes one has to
// translate again. That takes minutes to build, so it is not part of every run; with
// the translators given, their output is compared too.
func TestTranslationIsOfTheseManifests(t *testing.T) {
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		var manifests []byte
		for _, file := range sources[name] {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if name == "envoy-gateway-bare" {
				text = withoutPolicies(text)
			}
			manifests = append(append(manifests, text...), "\n---\n"...)
		}
		sum := sha256.Sum256(manifests)
		lines.WriteString(hex.EncodeToString(sum[:]) + "  manifests of " + name + "\n")
		var translated []byte
		switch {
		case strings.HasPrefix(name, "envoy-gateway") && egctl != "":
			translated = translateGateway(t, manifests)
		case istioProxies[name] != "" && istioTranslate != "":
			translated = translateIstio(t, istioProxies[name], manifests)
		case strings.HasSuffix(name, "-pod") && istioTranslate != "":
			translated = inject(t, manifests)
		default:
			t.Logf("%s: not translated again, only the sum of its manifests is compared: name the translator (see translate_test.go)", name)
			continue
		}
		golden := "testdata/" + name + ".json"
		if *update {
			if err := os.WriteFile(golden, translated, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(want, translated) {
			t.Errorf("%s is not what the translator makes now; -update rewrites it (%v)", golden, err)
		}
	}
	if *update && egctl != "" && istioTranslate != "" {
		if err := os.WriteFile(sums, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(sums); err != nil || string(want) != lines.String() {
		t.Errorf("the manifests have changed since they were translated (%v): name both translators and use -update (see translate_test.go)", err)
	}
}

// withoutPolicies leaves away what comes and goes by itself: who is asked about requests,
// what callers may send, and how Graph proves who it is.
func withoutPolicies(manifests []byte) []byte {
	kept := slices.DeleteFunc(bytes.Split(manifests, []byte("\n---\n")), func(document []byte) bool {
		return bytes.Contains(document, []byte("\nkind: EnvoyExtensionPolicy\n")) || bytes.Contains(document, []byte("\nkind: ClientTrafficPolicy\n")) ||
			bytes.Contains(document, []byte("\nkind: BackendTLSPolicy\n"))
	})
	return bytes.Join(kept, []byte("\n---\n"))
}

func translateGateway(t *testing.T, manifests []byte) []byte {
	t.Helper()
	pair := envoytest.NewAuthority(t).Issue(t, "localhost")
	encoded := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(text)
	}
	manifests = append(manifests, "apiVersion: v1\nkind: Secret\nmetadata: {name: graphveil-tls, namespace: graphveil}\ntype: kubernetes.io/tls\ndata:\n  tls.crt: "+
		encoded(pair.CertFile)+"\n  tls.key: "+encoded(pair.KeyFile)+"\n"...)
	in := filepath.Join(t.TempDir(), "in.yaml")
	if err := os.WriteFile(in, manifests, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(egctl, "x", "translate", "--from", "gateway-api", "--to", "xds", "-o", "json", "-n", "graphveil", "-f", in).Output()
	if err != nil {
		t.Fatalf("%s: %v", egctl, err)
	}
	var all struct {
		XDS map[string]struct {
			Configs []map[string]any `json:"configs"`
		} `json:"xds"`
	}
	if err := json.Unmarshal(out, &all); err != nil || len(all.XDS) != 1 {
		t.Fatalf("%d gateways: %v", len(all.XDS), err)
	}
	var kept []map[string]any
	for _, gateway := range all.XDS {
		for _, c := range gateway.Configs {
			if kind, _ := c["@type"].(string); !strings.HasSuffix(kind, ".BootstrapConfigDump") && !strings.HasSuffix(kind, ".SecretsConfigDump") {
				kept = append(kept, c)
			}
		}
	}
	return written(t, map[string]any{"configs": kept})
}

func translateIstio(t *testing.T, proxy string, manifests []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.yaml"), filepath.Join(dir, "out.json")
	if err := os.WriteFile(in, bytes.TrimSuffix(manifests, []byte("\n---\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(istioTranslate, proxy, in, out, meshConfig)
	command.Env = append(os.Environ(), "ENABLE_100_CONTINUE_HEADERS=false") // as the README asks for
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", istioTranslate, err, said)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var dump struct {
		Configs []map[string]any `json:"configs"`
	}
	if err := json.Unmarshal(text, &dump); err != nil {
		t.Fatal(err)
	}
	for _, c := range dump.Configs { // their order varies
		for _, key := range []string{"dynamic_listeners", "dynamic_route_configs"} {
			list, _ := c[key].([]any)
			slices.SortFunc(list, func(a, b any) int { return strings.Compare(string(written(t, a)), string(written(t, b))) })
		}
	}
	return written(t, map[string]any{"configs": dump.Configs})
}

// inject returns the Deployment of manifests with what Istio's injector adds to it.
func inject(t *testing.T, manifests []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.yaml"), filepath.Join(dir, "out.yaml")
	for _, document := range bytes.Split(manifests, []byte("\n---\n")) {
		if bytes.Contains(document, []byte("kind: Deployment")) {
			if err := os.WriteFile(in, document, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if said, err := exec.Command(istioTranslate, "inject", in, out).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", istioTranslate, err, said)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var deployment map[string]any
	if err := yaml.Unmarshal(bytes.TrimSuffix(text, []byte("---\n")), &deployment); err != nil {
		t.Fatal(err)
	}
	return written(t, deployment)
}

// written is JSON with its keys in order: the translators' order varies.
func written(t *testing.T, v any) []byte {
	t.Helper()
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}
