package main

import (
	"bytes"
	"io/fs"
	"os"

	"istio.io/istio/manifests"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/kube/inject"
	"istio.io/istio/pkg/test"
	"sigs.k8s.io/yaml"
)

// chart is where Istio's chart for istiod has the injector's templates and values.
const chart = "charts/istio-control/istio-discovery/"

// injected writes what Istio's injector makes of the Deployments in manifests.
func injected(t test.Failer, in, out string) {
	templates := inject.RawTemplates{}
	for name, file := range map[string]string{"sidecar": "injection-template.yaml", "gateway": "gateway-injection-template.yaml"} {
		templates[name] = string(read(t, chart+"files/"+file))
	}
	parsed, err := inject.ParseTemplates(templates)
	if err != nil {
		t.Fatal(err)
	}
	var chartValues struct {
		Defaults map[string]any `json:"_internal_defaults_do_not_set"`
	}
	if err := yaml.Unmarshal(read(t, chart+"values.yaml"), &chartValues); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(chartValues.Defaults)
	if err != nil {
		t.Fatal(err)
	}
	values, err := inject.NewValuesConfig(string(text))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	var result bytes.Buffer
	if err := inject.IntoResourceFile(nil, parsed, values, "", mesh.DefaultMeshConfig(), bytes.NewReader(manifest), &result, func(warning string) { t.Fatal(warning) }); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, result.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t test.Failer, name string) []byte {
	text, err := fs.ReadFile(manifests.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
