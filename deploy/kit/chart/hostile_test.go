package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Names that YAML reads as something else, and texts with YAML, Go's templates and
// Envoy's formats in them, arrive as they are.
func TestHostileValues(t *testing.T) {
	for _, name := range []string{"123", "true", "null", "1e3", "0x10", "1.5", "no"} {
		text := strings.ReplaceAll(`
secret: {name: "NAME"}
tls: {secretName: "NAME", caKey: "NAME", clientCA: {configMap: "NAME", key: "NAME"}}
policy: {configMap: "NAME"}
serviceAccount: {name: "NAME"}
imagePullSecrets: [{name: "NAME"}]
gateway: {priorityClassName: "NAME", nodeSelector: {a: "NAME"}, podLabels: {b: "NAME"}, podAnnotations: {c: "NAME"}}
`, "NAME", name)
		pod := &gateway(t, minimal, text).deployment.Spec.Template.Spec
		if pod.ServiceAccountName != name || pod.PriorityClassName != name || pod.ImagePullSecrets[0].Name != name {
			t.Errorf("%s: the Pod has other names", name)
		}
		for _, v := range pod.Volumes {
			if v.Secret != nil && v.Secret.SecretName != name || v.ConfigMap != nil && v.Name != "graphveil-config" && v.ConfigMap.Name != name {
				t.Errorf("%s: volume %v", name, v)
			}
		}
		sidecar(t, minimal, text) // decodes
		gateway(t, minimal, fmt.Sprintf("tls: {secretName: '', issuer: {name: %q, group: %[1]q}, dnsNames: [%[1]q]}", name))
	}
	for _, text := range []string{"a\nhostNetwork: true", "a\"b'c: d # e", "{{ .Values.secret.name }}", "%REQ(authorization)%", "- [x", "\ttab ", "a\u2028b", "..."} {
		o := gateway(t, minimal, "config: {policy: {options: {ids: "+quoted(t, text)+"}}, log: {level: "+quoted(t, text)+"}}",
			"gateway: {podAnnotations: {a: "+quoted(t, text)+"}, service: {annotations: {a: "+quoted(t, text)+"}}}\nserviceAccount: {annotations: {a: "+quoted(t, text)+"}}")
		var config struct {
			Policy struct{ Options map[string]string }
			Log    struct{ Level string }
		}
		if err := yaml.Unmarshal([]byte(o.config.Data["graphveil.yaml"]), &config); err != nil {
			t.Fatalf("%q: %v\n%s", text, err, o.config.Data["graphveil.yaml"])
		}
		for what, got := range map[string]string{
			"an option": config.Policy.Options["ids"], "the level": config.Log.Level, "the Pod": o.deployment.Spec.Template.Annotations["a"],
			"the Service": o.service.Annotations["a"], "the account": o.account.Annotations["a"],
		} {
			if got != text {
				t.Errorf("%s: %q became %q", what, text, got)
			}
		}
		if o.deployment.Spec.Template.Spec.HostNetwork {
			t.Errorf("%q is more than a value", text)
		}
	}
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	out, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Releases of all lengths have names of their own that Kubernetes takes.
func TestReleases(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	seen := map[string]string{}
	for _, release := range []string{
		"graphveil", "a", "12", strings.Repeat("a", 53), strings.Repeat("a", 52) + "b", strings.Repeat("a", 43) + "-graphveil", strings.Repeat("a", 42) + "-graphveila", strings.Repeat("a", 42) + "-graphveilb",
	} {
		files, err := renderAs(load(t, chartDir), values(t, minimal), release, "123")
		if err != nil {
			t.Fatal(err)
		}
		o := decode(t, files)
		for kind, got := range map[string]string{"Service": o.service.Name, "Deployment": o.deployment.Name, "ConfigMap": o.config.Name, "ServiceAccount": o.account.Name, "budget": o.budget.Name, "policy": o.networkPolicy.Name} {
			if !name.MatchString(got) {
				t.Errorf("%s: %s %q is no name", release, kind, got)
			}
			if other := seen[kind+got]; other != "" {
				t.Errorf("releases %s and %s have the same %s", other, release, kind)
			}
			seen[kind+got] = release
		}
		if o.deployment.Namespace != "123" || o.deployment.Spec.Selector.MatchLabels["app.kubernetes.io/instance"] != release {
			t.Errorf("%s: %v", release, o.deployment.ObjectMeta)
		}
		checkGateway(t, o)
	}
	// What Helm packages from a commit.
	chart := load(t, chartDir)
	chart.Metadata.Version, chart.Metadata.AppVersion = "0.1.0+a", "0.1.0+b"
	files, err := render(chart, values(t, minimal))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range decode(t, files).deployment.Spec.Template.Labels {
		if strings.Contains(v, "+") {
			t.Errorf("label %s: %s", k, v)
		}
	}
}

// What Kubernetes does not let change never does: who is selected.
func TestUpgrade(t *testing.T) {
	before := gateway(t, minimal).deployment
	after := gateway(t, minimal, "config: {log: {level: debug}}\npolicy: {configMap: rules}\nserviceAccount: {name: other}\ngateway: {ipv6: true, autoscaling: {enabled: false}, podLabels: {a: b}}").deployment
	if !reflect.DeepEqual(before.Spec.Selector, after.Spec.Selector) {
		t.Error("the selector changes with values")
	}
	const key = "graphveil/config"
	changed := func(texts ...string) bool {
		a, b := gateway(t, minimal).deployment.Spec.Template.Annotations[key], gateway(t, append([]string{minimal}, texts...)...).deployment.Spec.Template.Annotations[key]
		c, d := sidecar(t, minimal).deployment.Spec.Template.Annotations[key], sidecar(t, append([]string{minimal}, texts...)...).deployment.Spec.Template.Annotations[key]
		if a == "" || c == "" {
			t.Fatal("the Pods do not say what configuration they read")
		}
		if (a == b) != (c == d) {
			t.Errorf("%v: the shapes differ", texts)
		}
		return a != b
	}
	if !changed("config: {policy: {options: {groups: 'off'}}}") || !changed("policy: {configMap: rules}") {
		t.Error("a changed configuration leaves the Pods that read the old one")
	}
	if changed("secret: {name: other}") || changed("token: {audience: 'api://own'}") {
		t.Error("the same configuration reads as another")
	}
}

// The same values make the same text.
func TestDeterministic(t *testing.T) {
	const text = "serviceAccount: {annotations: {a: b, c: d, e: f}}\nconfig: {tokens: {connectors: {teams: {client_id: a}, onedrive: {client_id: b}}}, policy: {options: {ids: clear, groups: 'off'}}}"
	first, err := render(load(t, chartDir), values(t, minimal, text))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := render(load(t, chartDir), values(t, minimal, text))
		if err != nil || !maps.Equal(first, again) {
			t.Fatalf("another text: %v", err)
		}
	}
}

// Every value is in the schema and, changed, changes what is rendered.
func TestEveryValueIsUsed(t *testing.T) {
	text, err := os.ReadFile(chartDir + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defaults := values(t, string(text))
	other := map[string]string{ // where not just any other value of the type will do
		"shape": "sidecar", "config.tokens.cloud": "china", "config.pseudonyms.domains": "tokenize",
		"tls.secretName": "other", "token.expirationSeconds": "600", "drain.acceptSeconds": "11", "drain.timeoutSeconds": "61",
		"tls.issuer.name":      "internal",
		"tls.issuer.kind":      "ClusterIssuer",
		"tls.clientCA.mode":    "optional",
		"policy.builtin":       "true",
		"images.envoy.digest":  "sha256:" + strings.Repeat("a", 64),
		"token.audience":       "api://own",
		"sidecar.capture":      "hosts",
		"gateway.service.type": "LoadBalancer",
		"fullnameOverride":     "graph",

		"images.processor.digest":     "sha256:" + strings.Repeat("a", 64),
		"images.processor.pullPolicy": "Always",
		"images.envoy.pullPolicy":     "Always",

		"config.tokens.connectors":                "{teams: {client_id: x}}",
		"config.policy.options":                   "{ids: clear}",
		"tls.dnsNames":                            "[graph.internal]",
		"imagePullSecrets":                        "[{name: pull}]",
		"serviceAccount.annotations":              "{a: b}",
		"gateway.service.annotations":             "{a: b}",
		"gateway.podAnnotations":                  "{a: b}",
		"gateway.podLabels":                       "{a: b}",
		"gateway.nodeSelector":                    "{a: b}",
		"gateway.tolerations":                     "[{key: a, operator: Exists}]",
		"gateway.affinity":                        "{podAntiAffinity: {}}",
		"gateway.networkPolicy.clients":           "[{podSelector: {matchLabels: {a: b}}}]",
		"gateway.networkPolicy.metrics":           "[{podSelector: {matchLabels: {a: b}}}]",
		"gateway.networkPolicy.dns":               "[{podSelector: {matchLabels: {a: b}}}]",
		"gateway.networkPolicy.cloud":             "[{ipBlock: {cidr: 192.0.2.0/24}}]",
		"gateway.networkPolicy.extraEgress":       "[{to: [{podSelector: {}}], ports: [{port: 8081}]}]",
		"gateway.networkPolicy.acknowledgeRisk":   "every pod of the cluster may read through this gateway",
		"gateway.disruptionBudget.maxUnavailable": "50%",
	}
	beside := map[string]string{ // what else has to be so
		"tls.caKey":                             "", // of the notes
		"tls.issuer.name":                       "tls: {secretName: ''}",
		"tls.issuer.kind":                       "tls: {secretName: '', issuer: {name: internal}}",
		"tls.issuer.group":                      "tls: {secretName: '', issuer: {name: internal}}",
		"tls.dnsNames":                          "tls: {secretName: '', issuer: {name: internal}}",
		"tls.clientCA.key":                      "tls: {clientCA: {configMap: a}}",
		"tls.clientCA.mode":                     "tls: {clientCA: {configMap: a}}",
		"policy.builtin":                        "policy: {configMap: a}",
		"gateway.replicas":                      "gateway: {autoscaling: {enabled: false}}",
		"sidecar.capture":                       "shape: sidecar",
		"gateway.service.type":                  "tls: {clientCA: {configMap: a}}",
		"gateway.networkPolicy.acknowledgeRisk": "gateway: {networkPolicy: {enabled: false}}",
		"gateway.networkPolicy.enabled":         "tls: {clientCA: {configMap: a}}",
	}
	seen := map[string]bool{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		if inner, ok := value.(map[string]any); ok && len(inner) > 0 {
			for key, value := range inner {
				walk(strings.TrimPrefix(path+"."+key, "."), value)
			}
			return
		}
		seen[path] = true
		change, found := other[path]
		if !found {
			switch value := value.(type) {
			case bool:
				change = fmt.Sprint(!value)
			case float64, int64:
				change = strings.Replace(fmt.Sprint(value), "0", "1", 1) + "1"
			case string:
				change = quoted(t, value+"1")
			default:
				t.Fatalf("%s: a table says no other value", path)
			}
		}
		keys := strings.Split(path, ".")
		for _, key := range slices.Backward(keys) {
			change = "{" + key + ": " + change + "}"
		}
		base := values(t, minimal, beside[path])
		before, err := render(load(t, chartDir), base)
		if path == "tls.issuer.name" || strings.HasPrefix(path, "gateway.networkPolicy.acknowledgeRisk") {
			err = nil // that nothing is rendered before is the change
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		after, err := render(load(t, chartDir), values(t, minimal, beside[path], change))
		if err != nil {
			t.Errorf("%s: %v", change, err)
		}
		if maps.Equal(before, after) {
			t.Errorf("%s changes nothing", change)
		}
	}
	walk("", defaults)
	for path := range other {
		if !seen[path] {
			t.Errorf("values.yaml has no %s", path)
		}
	}

	var schema node
	text, err = os.ReadFile(chartDir + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	schema.check(t, "", defaults)
}

// node is what the test reads of a JSON schema.
type node struct {
	Properties map[string]*node `json:"properties"`
	Required   []string         `json:"required"`
	Additional any              `json:"additionalProperties"`
}

// check compares the keys of a schema with those that have a default. Each has to be required,
// so that null, by which Helm removes a default, is refused.
func (n *node) check(t *testing.T, path string, defaults map[string]any) {
	t.Helper()
	if n.Additional != false {
		return // somebody else's: graphveil.yaml, labels
	}
	for key, inner := range n.Properties {
		value, found := defaults[key]
		if key == "global" && path == "" {
			continue // Helm's own
		}
		if !found {
			t.Errorf("values.yaml has no %s.%s", path, key)
		}
		if !slices.Contains(n.Required, key) {
			t.Errorf("%s.%s may be null", path, key)
		}
		if below, ok := value.(map[string]any); ok {
			inner.check(t, path+"."+key, below)
		}
	}
}
