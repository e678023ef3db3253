package chart

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/graphveil/graphveil/auth"
)

const globalAudience = "api://AzureADTokenExchange"

// shapes are values that the chart takes, and the audience of the token.
var shapes = []struct{ name, values, audience string }{
	{"minimal", "", globalAudience},
	{"us_government", "config: {tokens: {cloud: us_government}}", "api://AzureADTokenExchangeUSGov"},
	{"us_dod", "config: {tokens: {cloud: us_dod}}", "api://AzureADTokenExchangeUSGov"},
	{"china", "config: {tokens: {cloud: china}}", "api://AzureADTokenExchangeChina"},
	{"own audience", "token: {audience: 'api://own'}", "api://own"},
	{"certificate instead of a token", "config: {tokens: {credential: {certificate: {file: /var/run/secrets/graphveil/files/sign-in.pem}}}}", ""},
	{"policy beside the shipped one", "policy: {configMap: rules, builtin: true}", globalAudience},
	{"policy alone", "policy: {configMap: rules}", globalAudience},
	{"one application for all connectors", "config: {tokens: {client_id: bbbbbbbb-0000-4000-8000-000000000001, connectors: {teams: {}}}}", globalAudience},
	{"client certificates", "tls: {clientCA: {configMap: clients}}", globalAudience},
	{"cert-manager", "tls: {secretName: '', issuer: {name: internal}, dnsNames: [graph.internal]}", globalAudience},
	{"options of the policy", `config: {policy: {options: {ids: clear, groups: "off"}}, envoy: {limits: {requests: 32}, retry: {count: -1}}}`, globalAudience},
}

func TestGateway(t *testing.T) {
	for _, test := range append(shapes[:len(shapes):len(shapes)], []struct{ name, values, audience string }{
		{"fixed replicas", "gateway: {autoscaling: {enabled: false}, replicas: 3}", globalAudience},
		{"certificates instead of a network policy", "gateway: {networkPolicy: {enabled: false}}\ntls: {clientCA: {configMap: clients}}", globalAudience},
		{"callers' tokens", "callerTokens: {configMap: issuer}\nconfig: {envoy: {jwt: {issuer: 'https://issuer.example', audiences: [graphveil], jwks_file: /etc/graphveil-issuer/jwks.json}}}", globalAudience},
		{"pinned images", "images: {processor: {digest: 'sha256:" + strings.Repeat("a", 64) + "'}}\nimagePullSecrets: [{name: pull}]", globalAudience},
		{"all the rest", "gateway: {podLabels: {team: a}, podAnnotations: {b: c}, nodeSelector: {d: e}, tolerations: [{key: f, operator: Exists}], priorityClassName: high, " +
			"networkPolicy: {metrics: [{podSelector: {}}], extraEgress: [{to: [{podSelector: {}}], ports: [{port: 8081}]}]}, service: {annotations: {g: h}, port: 8443}}\nserviceAccount: {name: other, annotations: {i: j}}", globalAudience},
	}...) {
		t.Run(test.name, func(t *testing.T) {
			o := gateway(t, minimal, test.values)
			if o.deployment == nil || o.service == nil || o.budget == nil || o.account == nil || o.config == nil {
				t.Fatal("something is missing")
			}
			d, pod := o.deployment, &o.deployment.Spec.Template.Spec
			checkPod(t, pod, test.audience)
			checkRestricted(t, &o.deployment.Spec.Template.ObjectMeta, pod)
			checkConfig(t, pod, o.config.Data["graphveil.yaml"])
			checkGateway(t, o)
			if (d.Spec.Replicas == nil) == (o.autoscaler == nil) {
				t.Error("replicas and an autoscaler, or neither")
			}
			if o.autoscaler != nil && (o.autoscaler.Spec.ScaleTargetRef.Name != d.Name || o.autoscaler.Spec.Metrics[0].ContainerResource.Container != "envoy") {
				t.Error("the autoscaler is about something else")
			}
			if strings.Contains(test.values, "issuer: {") {
				if o.certificate != nil && (o.certificate.Spec.PrivateKey.RotationPolicy != "Always" || !slices.Equal(o.certificate.Spec.Usages, []string{"digital signature", "server auth"})) {
					t.Errorf("the key outlives its certificate, or the certificate is for more than a server: %+v", o.certificate.Spec)
				}
				if o.certificate == nil || o.certificate.Spec.SecretName != "graphveil-tls" || !slices.Contains(o.certificate.Spec.DNSNames, "graphveil.analytics.svc") {
					t.Errorf("certificate: %+v", o.certificate)
				}
			} else if o.certificate != nil {
				t.Error("a certificate that nobody asked for")
			}
			if !strings.Contains(o.notes, "curl --cacert") {
				t.Errorf("the notes show no request:\n%s", o.notes)
			}
		})
	}
}

func checkGateway(t *testing.T, o *objects) {
	t.Helper()
	d, pod := o.deployment, o.deployment.Spec.Template
	selects := func(what string, selector map[string]string) {
		t.Helper()
		if len(selector) == 0 {
			t.Errorf("%s selects everything", what)
		}
		for k, v := range selector {
			if pod.Labels[k] != v {
				t.Errorf("%s selects %s=%s, which the Pods have not", what, k, v)
			}
		}
	}
	selects("the Deployment", d.Spec.Selector.MatchLabels)
	selects("the Service", o.service.Spec.Selector)
	selects("the disruption budget", o.budget.Spec.Selector.MatchLabels)
	if o.account.AutomountServiceAccountToken == nil || *o.account.AutomountServiceAccountToken || pod.Spec.ServiceAccountName != o.account.Name {
		t.Error("the service account: automounted, or another one")
	}
	s := pod.Spec.SecurityContext
	if s == nil || s.FSGroup == nil || *s.FSGroup != user || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the Pod's security: %v", s)
	}
	for _, v := range pod.Spec.Volumes { // fsGroup lets the user read them
		if v.Secret != nil && *v.Secret.DefaultMode != 0o440 || v.Projected != nil && *v.Projected.DefaultMode != 0o440 {
			t.Errorf("more than the group may read %s", v.Name)
		}
	}
	if pod.Spec.EnableServiceLinks == nil || *pod.Spec.EnableServiceLinks {
		t.Error("the names of other Services get into the environment")
	}
	for _, spread := range pod.Spec.TopologySpreadConstraints {
		selects("the spread", spread.LabelSelector.MatchLabels)
		if !slices.Equal(spread.MatchLabelKeys, []string{"pod-template-hash"}) {
			t.Error("a rollout counts the Pods that it replaces")
		}
	}
	if b := o.budget.Spec; b.MaxUnavailable == nil || b.MinAvailable != nil { // else one Pod alone keeps its node from being drained
		t.Errorf("the disruption budget: %v", b)
	}
	if p := o.budget.Spec.UnhealthyPodEvictionPolicy; p == nil || *p != policyv1.AlwaysAllow { // nor do Pods that never get ready
		t.Error("Pods that do not work keep their nodes from being drained")
	}
	rolling := d.Spec.Strategy.RollingUpdate
	if rolling == nil || rolling.MaxUnavailable.IntValue() != 0 {
		t.Error("a rollout takes Pods away before others are there")
	}
	var config struct {
		Processor struct {
			DrainTimeout string `json:"drain_timeout"`
		} `json:"processor"`
	}
	if err := yaml.Unmarshal([]byte(o.config.Data["graphveil.yaml"]), &config); err != nil {
		t.Fatal(err)
	}
	drain, err := strconv.ParseInt(strings.TrimSuffix(config.Processor.DrainTimeout, "s"), 10, 64)
	if err != nil || pod.Spec.TerminationGracePeriodSeconds == nil || *pod.Spec.TerminationGracePeriodSeconds < drain+10 {
		t.Errorf("the drain of %s does not fit into the grace period", config.Processor.DrainTimeout)
	}
	_, envoy := ours(&pod.Spec)
	port := o.service.Spec.Ports[0].TargetPort.StrVal
	if !slices.ContainsFunc(envoy.Ports, func(p corev1.ContainerPort) bool { return p.Name == port && p.ContainerPort == 8443 }) {
		t.Error("the Service leads to no port of Envoy")
	}
	n := o.networkPolicy
	if n == nil {
		return
	}
	selects("the network policy", n.Spec.PodSelector.MatchLabels)
	if len(n.Spec.PolicyTypes) != 2 {
		t.Errorf("the network policy is about %v", n.Spec.PolicyTypes)
	}
	for _, rule := range n.Spec.Ingress {
		if len(rule.From) == 0 || len(rule.Ports) == 0 {
			t.Error("an open rule of ingress")
		}
		for _, p := range rule.Ports {
			if slices.Contains([]int{9464, 9465}, p.Port.IntValue()) == (len(rule.Ports) == 1) || !slices.Contains([]int{8443, 9464, 9465}, p.Port.IntValue()) {
				t.Errorf("ingress to port %s among %d", p.Port, len(rule.Ports))
			}
		}
	}
	for _, rule := range n.Spec.Egress {
		if len(rule.To) == 0 || len(rule.Ports) == 0 {
			t.Error("an open rule of egress")
		}
		for _, p := range rule.Ports {
			if port := p.Port.IntValue(); port != 443 && port != 53 && port != 8081 { // 8081: what a test adds
				t.Errorf("egress to port %d", port)
			}
		}
		for _, to := range rule.To {
			if b := to.IPBlock; b != nil && strings.HasSuffix(b.CIDR, "/0") && (len(b.Except) == 0 || rule.Ports[0].Port.IntValue() != 443) {
				t.Errorf("egress to %s without an exception, or not to 443", b.CIDR)
			}
			if b := to.IPBlock; b != nil && b.CIDR == "0.0.0.0/0" && !slices.Contains(b.Except, "169.254.0.0/16") {
				t.Error("egress to the metadata server of the cloud")
			}
		}
	}
}

func TestSidecar(t *testing.T) {
	for _, test := range append(shapes[:len(shapes):len(shapes)], []struct{ name, values, audience string }{
		{"hosts", "sidecar: {capture: hosts}", globalAudience},
		{"hosts, national cloud, cert-manager", "sidecar: {capture: hosts}\nconfig: {tokens: {cloud: us_dod}}\ntls: {secretName: '', issuer: {name: internal}}", "api://AzureADTokenExchangeUSGov"},
	}...) {
		t.Run(test.name, func(t *testing.T) {
			o := sidecar(t, minimal, test.values)
			if o.deployment.Name != "reader" || o.service != nil || o.account != nil || o.budget != nil || o.autoscaler != nil || o.networkPolicy != nil {
				t.Fatal("the sidecar is more than the application's Pod")
			}
			pod := &o.deployment.Spec.Template.Spec
			checkPod(t, pod, test.audience)
			checkRestricted(t, &o.deployment.Spec.Template.ObjectMeta, pod)
			checkConfig(t, pod, o.config.Data["graphveil.yaml"])
			_, envoy := ours(pod)
			if envoy.RestartPolicy == nil || *envoy.RestartPolicy != corev1.ContainerRestartPolicyAlways {
				t.Error("Envoy is no sidecar container: it may end before the application")
			}
			hosts := strings.Contains(test.values, "hosts")
			config, names := o.config.Data["graphveil.yaml"], ""
			if o.certificate != nil {
				names = strings.Join(o.certificate.Spec.DNSNames, " ")
			}
			switch {
			case hosts && (!strings.Contains(config, "listen: 127.0.0.1:443\n") || len(pod.SecurityContext.Sysctls) != 1 || !strings.Contains(o.config.Data["hosts"], "127.0.0.1 "+graphOf(t, test.values)+"\n")):
				t.Errorf("the application's requests for Graph are not captured:\n%s\n%s", config, o.config.Data["hosts"])
			case hosts && o.certificate != nil && names != graphOf(t, test.values), !hosts && o.certificate != nil && !strings.HasPrefix(names, "localhost"):
				t.Errorf("the certificate is for %s", names)
			case !hosts && (!strings.Contains(config, "listen: 127.0.0.1:8443\n") || len(pod.SecurityContext.Sysctls) != 0 || o.config.Data["hosts"] != ""):
				t.Error("more than by base URL is captured")
			}
		})
	}
}

func graphOf(t *testing.T, text string) string {
	cloud, err := auth.CloudNamed(map[bool]string{true: "us_dod"}[strings.Contains(text, "us_dod")])
	if err != nil {
		t.Fatal(err)
	}
	return cloud.Graph
}

// Clients' certificates are as required as the values say.
func TestClientCertificates(t *testing.T) {
	for _, mode := range []string{"required", "optional"} {
		o := gateway(t, minimal, "tls: {clientCA: {configMap: clients, key: roots.pem, mode: "+mode+"}}")
		var config struct {
			Envoy struct {
				TLS struct {
					File string `json:"client_ca_file"`
					Mode string `json:"client_certificate"`
				} `json:"tls"`
			} `json:"envoy"`
		}
		if err := yaml.Unmarshal([]byte(o.config.Data["graphveil.yaml"]), &config); err != nil {
			t.Fatal(err)
		}
		if tls := config.Envoy.TLS; tls.Mode != mode || tls.File != "/etc/graphveil-clients/roots.pem" {
			t.Errorf("%s: %+v", mode, tls)
		}
		if strings.Contains(o.notes, "--cert ") != (mode == "required") {
			t.Errorf("%s: the notes' request has another certificate:\n%s", mode, o.notes)
		}
	}
}

// Whoever comes through a node's port or a load balancer keeps the address that the network
// policy looks at: that of a node is let in to the Pods of that node, whatever the policy says.
func TestLoadBalancer(t *testing.T) {
	for _, known := range []string{
		"tls: {clientCA: {configMap: clients}}",
		"config: {envoy: {jwt: {issuer: 'https://issuer.example', audiences: [graphveil], jwks_uri: 'https://issuer.example/keys'}}}",
		"gateway: {networkPolicy: {acknowledgeRisk: every pod of the cluster may read through this gateway}}",
	} {
		o := gateway(t, minimal, "gateway: {service: {type: LoadBalancer}}", known)
		if s := o.service.Spec; s.Type != corev1.ServiceTypeLoadBalancer || s.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal {
			t.Errorf("%s: %s, %q", known, s.Type, s.ExternalTrafficPolicy)
		}
		checkGateway(t, o)
	}
	if s := gateway(t, minimal).service.Spec; s.ExternalTrafficPolicy != "" {
		t.Errorf("%s: %q, which Kubernetes refuses", s.Type, s.ExternalTrafficPolicy)
	}
}

// Two gateways of one namespace have Pods of their own: neither's Service or network policy is
// about the other's.
func TestGatewaysOfOneNamespace(t *testing.T) {
	as := func(release, text string) *objects {
		t.Helper()
		files, err := renderAs(load(t, chartDir), values(t, minimal, text), release, namespace)
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, files)
	}
	longest := "fullnameOverride: " + strings.Repeat("a", 53)
	for name, pair := range map[string][2]*objects{
		"two names":                    {as("a", "fullnameOverride: one"), as("a", "fullnameOverride: two")},
		"one name":                     {as("a", ""), as("a", "fullnameOverride: two")},
		"the name of another release":  {as("one", ""), as("a", "fullnameOverride: one")},
		"the same, of two releases":    {as("a", longest), as("b", longest)},
		"two releases without a value": {as("a", ""), as("b", "")},
	} {
		t.Run(name, func(t *testing.T) {
			checkApart(t, pair[0], pair[1])
			checkApart(t, pair[1], pair[0])
		})
	}
}

func checkApart(t *testing.T, one, two *objects) {
	t.Helper()
	checkGateway(t, one)
	if v := one.deployment.Spec.Template.Labels["app.kubernetes.io/instance"]; len(validation.IsValidLabelValue(v)) > 0 {
		t.Errorf("%q is no label", v)
	}
	selectors := map[string]map[string]string{
		"Deployment": one.deployment.Spec.Selector.MatchLabels, "Service": one.service.Spec.Selector,
		"budget": one.budget.Spec.Selector.MatchLabels, "network policy": one.networkPolicy.Spec.PodSelector.MatchLabels,
	}
	for what, selector := range selectors {
		if labels.SelectorFromSet(selector).Matches(labels.Set(two.deployment.Spec.Template.Labels)) {
			t.Errorf("the %s of one selects the Pods of the other: %v", what, selector)
		}
	}
}

// Two applications of one release, each with a sidecar, have configurations of their own.
func TestSidecarsOfOneRelease(t *testing.T) {
	umbrella := load(t, application)
	umbrella.Metadata.Name = "umbrella"
	umbrella.Templates = nil
	all := map[string]any{}
	for _, name := range []string{"reader", "writer"} {
		app := load(t, application)
		app.Metadata.Name = name
		app.AddDependency(load(t, chartDir))
		umbrella.AddDependency(app)
		all[name] = map[string]any{"graphveil": values(t, minimal, "shape: sidecar", "fullnameOverride: "+name+"-graphveil")}
	}
	files, err := render(umbrella, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"reader", "writer"} {
		own := map[string]string{}
		for file, text := range files {
			if strings.HasPrefix(file, "umbrella/charts/"+name+"/") {
				own[file] = text
			}
		}
		o := decode(t, own)
		if o.config == nil || o.config.Name != name+"-graphveil" {
			t.Errorf("%s: the ConfigMap is %v", name, o.config)
		}
		if v := byName(o.deployment.Spec.Template.Spec.Volumes)["graphveil-config"]; v.ConfigMap == nil || v.ConfigMap.Name != name+"-graphveil" {
			t.Errorf("%s reads %v", name, v.ConfigMap)
		}
	}
}

// The first request of the notes is one that the policy serves, or none is named.
func TestNotes(t *testing.T) {
	for text, users := range map[string]bool{
		minimal: true, strings.Replace(minimal, "entra_id", "teams", 1): false,
		minimal + "policy: {configMap: rules}": false, minimal + "policy: {configMap: rules, builtin: true}": true,
	} {
		for shape, o := range map[string]*objects{"gateway": gateway(t, text), "sidecar": sidecar(t, text)} {
			if strings.Contains(o.notes, "/v1.0/users?$top=3") != users || strings.Contains(o.notes, "/v1.0/PATH") == users {
				t.Errorf("%s, %q:\n%s", shape, text, o.notes)
			}
		}
	}
}

// The chart's table of clouds is that of the code.
func TestClouds(t *testing.T) {
	for _, cloud := range auth.Clouds() {
		o := sidecar(t, minimal, "sidecar: {capture: hosts}\nconfig: {tokens: {cloud: "+cloud.Name+"}}")
		checkPod(t, &o.deployment.Spec.Template.Spec, cloud.Audience)
		if !strings.Contains(o.config.Data["hosts"], " "+cloud.Graph+"\n") {
			t.Errorf("%s: %s", cloud.Name, o.config.Data["hosts"])
		}
	}
}

// What would fail open, or not start, is not rendered.
func TestRefused(t *testing.T) {
	for _, test := range []struct{ name, values, want string }{
		{"no tenant", "config: {tokens: {tenant: ''}}", "config.tokens.tenant is empty"},
		{"no connector", "config: {tokens: {connectors: null}}", "config.tokens.connectors is empty"},
		{"no client id", "config: {tokens: {connectors: {teams: {}}}}", "client_id"},
		{"no client id, said", "config: {tokens: {client_id: '', connectors: {teams: {}}}}", "client_id"},
		{"unknown cloud", "config: {tokens: {cloud: moon}}", "cloud"},
		{"no secret", "secret: {name: ''}", "there is no salt and no key"},
		{"no certificate", "tls: {secretName: ''}", "there is no certificate"},
		{"two certificates", "tls: {issuer: {name: internal}}", "both given"},
		{"open to the cluster", "gateway: {networkPolicy: {enabled: false}}", "every Pod could read"},
		{"optional certificates are none", "gateway: {networkPolicy: {enabled: false}}\ntls: {clientCA: {configMap: a, mode: optional}}", "every Pod could read"},
		{"nobody or everybody", "gateway: {networkPolicy: {clients: []}}", "minItems"},
		{"an empty peer", "gateway: {networkPolicy: {clients: [{}]}}", "minProperties"},
		{"every namespace", "gateway: {networkPolicy: {clients: [{namespaceSelector: {}}]}}", "a peer that is everybody"},
		{"every namespace, said at length", "gateway: {networkPolicy: {clients: [{namespaceSelector: {matchLabels: {}}, podSelector: {matchExpressions: []}}]}}", "a peer that is everybody"},
		{"every address", "gateway: {networkPolicy: {clients: [{podSelector: {matchLabels: {a: b}}}, {ipBlock: {cidr: 0.0.0.0/0}}]}}", "a peer that is everybody"},
		{"every namespace, by a label that each has", "gateway: {networkPolicy: {clients: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: Exists}]}}]}}", "a peer that is everybody"},
		{"every namespace but one", "gateway: {networkPolicy: {clients: [{namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [guests]}]}}]}}", "a peer that is everybody"},
		{"every Pod but some", "gateway: {networkPolicy: {clients: [{namespaceSelector: {}, podSelector: {matchExpressions: [{key: guest, operator: DoesNotExist}]}}]}}", "a peer that is everybody"},
		{"every address, in halves", "gateway: {networkPolicy: {clients: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}]}}", "a peer that is everybody"},
		{"an operator that there is not", "gateway: {networkPolicy: {clients: [{podSelector: {matchExpressions: [{key: a, operator: in, values: [b]}]}}]}}", "operator"},
		{"open to who comes from outside", "gateway: {service: {type: LoadBalancer}}", "gateway.service.type is LoadBalancer"},
		{"optional certificates for who comes from outside", "gateway: {service: {type: LoadBalancer}}\ntls: {clientCA: {configMap: a, mode: optional}}", "gateway.service.type is LoadBalancer"},
		{"a name that is none", "fullnameOverride: a_b", "fullnameOverride"},
		{"a selector that Kubernetes would not know", "gateway: {networkPolicy: {clients: [{namespaceSelector: {matchLabels: {a: b}}, podselector: {matchLabels: {c: d}}}]}}", "podselector"},
		{"names anywhere", "gateway: {networkPolicy: {dns: null}}", "dns"},
		{"the cloud anywhere", "gateway: {networkPolicy: {cloud: null}}", "cloud"},
		{"more, to anywhere", "gateway: {networkPolicy: {extraEgress: [{ports: [{port: 80}]}]}}", "to"},
		{"no resources", "envoy: {resources: null}", "resources"},
		{"a token for as long as the cluster likes", "token: {expirationSeconds: null}", "expirationSeconds"},
		{"a name with a line in it", "gateway: {priorityClassName: \"a\\nhostNetwork: true\"}", "priorityClassName"},
		{"a budget with a line in it", "gateway: {disruptionBudget: {maxUnavailable: \"1\\nselector: {}\"}}", "maxUnavailable"},
		{"egress to anywhere", "gateway: {networkPolicy: {cloud: []}}", "minItems"},
		{"no time to drain", "drain: {timeoutSeconds: 10}", "nothing in progress could end"},
		{"a listener elsewhere", "config: {envoy: {listen: '0.0.0.0:80'}}", "config.envoy.listen is the chart's"},
		{"another socket", "config: {processor: {listen: '127.0.0.1:1'}}", "config.processor.listen is the chart's"},
		{"the salt elsewhere", "config: {pseudonyms: {salt_file: /tmp/salt}}", "config.pseudonyms.salt_file is the chart's"},
		{"the admin interface of the processor", "config: {processor: {admin: '127.0.0.1:1'}}", "config.processor.admin is the chart's"},
		{"another drain", "config: {processor: {drain_timeout: 1s}}", "config.processor.drain_timeout is the chart's"},
		{"another certificate", "config: {envoy: {tls: {cert_file: /a}}}", "config.envoy.tls is the chart's"},
		{"the admin interface of Envoy", "config: {envoy: {admin: '127.0.0.1:9901'}}", "config.envoy.admin is the chart's"},
		{"a file of accesses", "config: {envoy: {access_log: /tmp/a}}", "config.envoy.access_log is the chart's"},
		{"the key elsewhere", "config: {pseudonyms: {key_file: /tmp/key}}", "config.pseudonyms.key_file is the chart's"},
		{"keys of callers' issuer that are nowhere", "config: {envoy: {jwt: {issuer: 'https://issuer.example', audiences: [a], jwks_file: /etc/graphveil-issuer/jwks.json}}}", "a file that Envoy does not have"},
		{"keys of callers' issuer elsewhere", "callerTokens: {configMap: issuer}\nconfig: {envoy: {jwt: {issuer: 'https://issuer.example', audiences: [a], jwks_file: /keys.json}}}", "config.envoy.jwt.jwks_file is a file"},
		{"authorities of callers' issuer elsewhere", "callerTokens: {configMap: issuer}\nconfig: {envoy: {jwt: {issuer: 'https://issuer.example', audiences: [a], jwks_uri: 'https://issuer.example/keys', ca_file: /ca.crt}}}", "config.envoy.jwt.ca_file is a file"},
		{"two policies", "policy: {configMap: rules}\nconfig: {policy: {paths: [builtin]}}", "both given"},
		{"unknown value", "replicas: 3", "replicas"},
		{"unknown value below", "gateway: {replica: 3}", "replica"},
		{"salt as a value", "secret: {salt: abc}", "salt"},
		{"no limit of memory", "processor: {resources: {limits: {memory: null}}}", "memory"},
		{"a digest that is none", "images: {envoy: {digest: latest}}", "digest"},
		{"long-lived token", "token: {expirationSeconds: 86400}", "expirationSeconds"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := render(load(t, chartDir), values(t, minimal, test.values))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	if o := gateway(t, minimal, "gateway: {networkPolicy: {enabled: false, acknowledgeRisk: every pod of the cluster may read through this gateway}}"); o.networkPolicy != nil {
		t.Error("a network policy that is off")
	}
	// Labels that somebody has to have are no refusal.
	gateway(t, minimal, "gateway: {networkPolicy: {clients: [{namespaceSelector: {matchExpressions: [{key: team, operator: In, values: [a]}]}}, {namespaceSelector: {}, podSelector: {matchExpressions: [{key: reader, operator: Exists}]}}, {ipBlock: {cidr: 10.0.0.0/8}}]}}")
	app := load(t, application)
	app.AddDependency(load(t, chartDir))
	if _, err := render(app, map[string]any{"graphveil": values(t, minimal, "shape: gateway")}); err == nil || !strings.Contains(err.Error(), "a gateway has a Pod of its own") {
		t.Errorf("a gateway in an application's Pod: %v", err)
	}
}

func TestLint(t *testing.T) {
	for _, shape := range []string{"gateway", "sidecar"} {
		for _, m := range lint.RunAll(chartDir, values(t, minimal, "shape: "+shape), namespace).Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", shape, m)
			}
		}
	}
}

// The memory that the chart allows is enough for
// as many stuck responses as it lets in, by what was measured.
func TestMemory(t *testing.T) {
	text, err := os.ReadFile("../../../bench/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	measured := regexp.MustCompile(`Graphveil takes ([0-9.]+) MB when idle and ([0-9.]+) MB more for each response that is stuck behind a slow client\s+\(Envoy: ([0-9.]+) MB\)`).FindStringSubmatch(string(text))
	if measured == nil {
		t.Fatal("bench/scaling.md says no longer what a response takes")
	}
	number := func(i int) float64 {
		f, err := strconv.ParseFloat(measured[i], 64)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	o := gateway(t, minimal)
	var config struct {
		Envoy struct{ Limits struct{ Requests float64 } }
	}
	if err := yaml.Unmarshal([]byte(o.config.Data["graphveil.yaml"]), &config); err != nil || config.Envoy.Limits.Requests == 0 {
		t.Fatal("no limit of requests", err)
	}
	processor, envoy := ours(&o.deployment.Spec.Template.Spec)
	const envoyIdle = 100 // MB: Envoy itself some 50, graphveil beside it less than when it serves
	for c, need := range map[*corev1.Container]float64{
		processor: number(1) + config.Envoy.Limits.Requests*number(2),
		envoy:     envoyIdle + config.Envoy.Limits.Requests*number(3),
	} {
		if limit := c.Resources.Limits[corev1.ResourceMemory]; limit.Cmp(*resource.NewQuantity(int64(need*1e6), resource.DecimalSI)) < 0 {
			t.Errorf("%s: %s of memory, needs %.0f MB", c.Name, limit.String(), need)
		}
	}
}
