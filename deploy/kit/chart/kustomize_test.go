package chart

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the patch of the kustomize component from the chart")

const (
	component = "../../kustomize/sidecar/pod.yaml"
	example   = "../../kustomize/example"
)

// TestKustomize builds the example: an application of which the component makes a
// Pod as the chart's named templates do.
func TestKustomize(t *testing.T) {
	chart := sidecar(t, minimal)
	pod := &chart.deployment.Spec.Template.Spec
	if *update {
		writePatch(t, chart)
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), example)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	o := &objects{}
	if err := o.add(string(text)); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if o.deployment == nil || o.config == nil || o.account == nil {
		t.Fatalf("something is missing:\n%s", text)
	}
	got := &o.deployment.Spec.Template.Spec
	checkPod(t, got, globalAudience)
	config := o.config.Data["graphveil.yaml"]
	checkConfig(t, got, config)
	if !reflect.DeepEqual(got.InitContainers, pod.InitContainers) {
		t.Error("the component's containers are not the chart's: go test ./chart -run TestKustomize -update")
	}
	// The name of the ConfigMap changes with what is in it, so that Pods are replaced.
	for i, v := range got.Volumes {
		if v.Name == "graphveil-config" && v.ConfigMap.Name != o.config.Name {
			t.Errorf("the Pod reads the ConfigMap %s, not %s", v.ConfigMap.Name, o.config.Name)
		}
		if v.Name == "graphveil-config" && strings.HasPrefix(v.ConfigMap.Name, "graphveil-") {
			got.Volumes[i].ConfigMap.Name = "graphveil"
		}
	}
	if !reflect.DeepEqual(got.Volumes, pod.Volumes) {
		t.Error("the component's volumes are not the chart's: go test ./chart -run TestKustomize -update")
	}
	if strings.Contains(string(text), "kind: Secret") {
		t.Error("the example makes a Secret")
	}
}

// writePatch writes what the chart adds to a Pod as the component's patch.
func writePatch(t *testing.T, o *objects) {
	t.Helper()
	pod := &o.deployment.Spec.Template.Spec
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "any"},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"automountServiceAccountToken": false, "initContainers": pod.InitContainers, "volumes": pod.Volumes,
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	head := "# What deploy/helm/graphveil makes of a sidecar. Generated:\n# cd deploy/kit && go test ./chart -run TestKustomize -update\n"
	if err := os.WriteFile(component, append([]byte(head), text...), 0o644); err != nil {
		t.Fatal(err)
	}
}
