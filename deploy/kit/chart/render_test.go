package chart

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	v2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const (
	chartDir    = "../../helm/graphveil"
	application = "testdata/application"
	release     = "graphveil"
	namespace   = "analytics"
)

// minimal is the least that the chart takes.
const minimal = `
config:
  tokens:
    tenant: 11111111-1111-4111-8111-111111111111
    connectors:
      entra_id: {client_id: aaaaaaaa-0000-4000-8000-000000000001}
secret: {name: graphveil}
tls: {secretName: graphveil-tls}
`

// values lays one YAML over the other.
func values(t testing.TB, texts ...string) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, text := range texts {
		one, err := loader.LoadValues(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		all = loader.MergeMaps(all, one)
	}
	return all
}

// render makes the chart's files, by name.
func render(chart *v2.Chart, values map[string]any) (map[string]string, error) {
	return renderAs(chart, values, release, namespace)
}

func renderAs(chart *v2.Chart, values map[string]any, release, namespace string) (map[string]string, error) {
	all, err := util.ToRenderValues(chart, values, common.ReleaseOptions{Name: release, Namespace: namespace, IsInstall: true, Revision: 1}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

func load(t testing.TB, dir string) *v2.Chart {
	t.Helper()
	chart, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return chart
}

// gateway renders the chart alone.
func gateway(t testing.TB, texts ...string) *objects {
	t.Helper()
	files, err := render(load(t, chartDir), values(t, texts...))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, files)
}

// sidecar renders the chart of an application with this one as a dependency.
func sidecar(t testing.TB, texts ...string) *objects {
	t.Helper()
	app := load(t, application)
	app.AddDependency(load(t, chartDir))
	texts = append([]string{"shape: sidecar"}, texts...)
	files, err := render(app, map[string]any{"graphveil": values(t, texts...)})
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, files)
}

// objects are what a chart or a kustomization makes.
type objects struct {
	text          string // all of it
	deployment    *appsv1.Deployment
	service       *corev1.Service
	account       *corev1.ServiceAccount
	budget        *policyv1.PodDisruptionBudget
	autoscaler    *autoscalingv2.HorizontalPodAutoscaler
	networkPolicy *networkingv1.NetworkPolicy
	certificate   *certificate
	config        *corev1.ConfigMap
	notes         string
}

// certificate is what the chart uses of cert-manager's type.
type certificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		SecretName string `json:"secretName"`
		IssuerRef  struct {
			Name  string `json:"name"`
			Kind  string `json:"kind"`
			Group string `json:"group"`
		} `json:"issuerRef"`
		Usages     []string `json:"usages"`
		PrivateKey struct {
			Algorithm      string `json:"algorithm"`
			Size           int    `json:"size"`
			RotationPolicy string `json:"rotationPolicy"`
		} `json:"privateKey"`
		DNSNames []string `json:"dnsNames"`
	} `json:"spec"`
}

func decode(t testing.TB, files map[string]string) *objects {
	t.Helper()
	o := &objects{}
	for name, text := range files {
		switch {
		case path.Base(name) == "NOTES.txt":
			o.notes = text
		case strings.HasSuffix(name, ".yaml"):
			if err := o.add(text); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, text)
			}
		}
	}
	return o
}

// add decodes documents: a field that the type does not have is an error, and so is
// a kind that is not expected.
func (o *objects) add(text string) error {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := reader.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		o.text += "---\n" + string(document)
		var meta metav1.TypeMeta
		if err := yaml.Unmarshal(document, &meta); err != nil {
			return err
		}
		switch meta.APIVersion + "/" + meta.Kind {
		case "apps/v1/Deployment":
			err = strict(document, &o.deployment)
		case "v1/Service":
			err = strict(document, &o.service)
		case "v1/ServiceAccount":
			err = strict(document, &o.account)
		case "v1/ConfigMap":
			err = strict(document, &o.config)
		case "policy/v1/PodDisruptionBudget":
			err = strict(document, &o.budget)
		case "autoscaling/v2/HorizontalPodAutoscaler":
			err = strict(document, &o.autoscaler)
		case "networking.k8s.io/v1/NetworkPolicy":
			err = strict(document, &o.networkPolicy)
		case "cert-manager.io/v1/Certificate":
			err = strict(document, &o.certificate)
		default:
			err = fmt.Errorf("unexpected: %s %s", meta.APIVersion, meta.Kind)
		}
		if err != nil {
			return err
		}
	}
}

// strict decodes the only object of a type.
func strict[T any](document []byte, to **T) error {
	if *to != nil {
		return fmt.Errorf("a second %T", **to)
	}
	*to = new(T)
	return yaml.UnmarshalStrict(document, *to)
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(path.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
