package chart

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the patch of the kustomize component from the chart")

const (
	component = "../../kustomize/sidecar"
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
	text := kustomize(t, example)
	o := &objects{}
	if err := o.add(string(text)); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if o.deployment == nil || o.config == nil || o.account == nil {
		t.Fatalf("something is missing:\n%s", text)
	}
	got := &o.deployment.Spec.Template.Spec
	checkPod(t, got, globalAudience)
	checkRestricted(t, &o.deployment.Spec.Template.ObjectMeta, got)
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
	template := map[string]any{"template": map[string]any{"spec": map[string]any{
		"automountServiceAccountToken": false, "initContainers": pod.InitContainers, "volumes": pod.Volumes,
	}}}
	for file, patch := range map[string]map[string]any{
		"pod.yaml":     {"apiVersion": "apps/v1", "kind": "Deployment", "spec": template},
		"cronjob.yaml": {"apiVersion": "batch/v1", "kind": "CronJob", "spec": map[string]any{"jobTemplate": map[string]any{"spec": template}}},
	} {
		patch["metadata"] = map[string]any{"name": "any"}
		text, err := yaml.Marshal(patch)
		if err != nil {
			t.Fatal(err)
		}
		head := "# What deploy/helm/graphveil makes of a sidecar. Generated:\n# cd deploy/kit && go test ./chart -run TestKustomize -update\n"
		if err := os.WriteFile(filepath.Join(component, file), append([]byte(head), text...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func kustomize(t *testing.T, dir string) []byte {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// overlay is a kustomization of somebody's own, in a folder beside a copy of the component.
func overlay(t *testing.T, kustomization string, files map[string]string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "sidecar"), os.DirFS(component)); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		write(t, filepath.Join(dir, "own", name), text)
	}
	write(t, filepath.Join(dir, "own", "kustomization.yaml"), kustomization)
	return kustomize(t, filepath.Join(dir, "own"))
}

// Each kind of workload gets the containers, before init containers of its own, which may
// ask Graph; none without the label does.
func TestKustomizeKinds(t *testing.T) {
	want := sidecar(t, minimal).deployment.Spec.Template.Spec
	const own = "{spec: {initContainers: [{name: own, image: 'own:1'}], containers: [{name: reader, image: 'reader:1'}], restartPolicy: Never, volumes: [{name: own, emptyDir: {}}]}}"
	for kind, spec := range map[string]string{
		"apps/v1 Deployment": "{template: " + own + "}", "apps/v1 StatefulSet": "{template: " + own + "}", "apps/v1 DaemonSet": "{template: " + own + "}",
		"batch/v1 Job": "{template: " + own + "}", "batch/v1 CronJob": "{jobTemplate: {spec: {template: " + own + "}}}",
	} {
		version, kind, _ := strings.Cut(kind, " ")
		manifest := func(name, labels string) string {
			return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, labels: {%s}}\nspec: %s\n", version, kind, name, labels, spec)
		}
		text := overlay(t, "resources: [workload.yaml]\ncomponents: [../sidecar]\n", map[string]string{
			"workload.yaml": manifest("with", `graphveil-sidecar: "true"`) + "---\n" + manifest("without", ""),
		})
		patched, plain := 0, 0
		for document := range strings.SplitSeq(string(text), "---\n") {
			var workload struct {
				Spec struct {
					Template    corev1.PodTemplateSpec
					JobTemplate struct {
						Spec struct{ Template corev1.PodTemplateSpec }
					}
				}
			}
			if err := yaml.Unmarshal([]byte(document), &workload); err != nil {
				t.Fatal(err)
			}
			pod := workload.Spec.Template.Spec
			if kind == "CronJob" {
				pod = workload.Spec.JobTemplate.Spec.Template.Spec
			}
			if strings.Contains(document, "name: without") {
				plain++
				if len(pod.InitContainers) != 1 || len(pod.Volumes) != 1 {
					t.Errorf("%s without the label: %v", kind, pod.InitContainers)
				}
				continue
			}
			patched++
			if n := len(want.InitContainers); len(pod.InitContainers) != n+1 || !reflect.DeepEqual(pod.InitContainers[:n], want.InitContainers) || pod.InitContainers[n].Name != "own" {
				t.Errorf("%s: the containers are not the sidecar's and then its own", kind)
			}
			if len(pod.Volumes) != len(want.Volumes)+1 || len(pod.Containers) != 1 {
				t.Errorf("%s: %d volumes, %d containers", kind, len(pod.Volumes), len(pod.Containers))
			}
			checkToken(t, byName(pod.Volumes), globalAudience)
		}
		if patched != 1 || plain != 1 {
			t.Errorf("%s: %d with, %d without", kind, patched, plain)
		}
	}
}

// TestKustomizePolicy builds what the README says of a policy of one's own.
func TestKustomizePolicy(t *testing.T) {
	readme, err := os.ReadFile("../../kustomize/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "## A policy of your own")
	_, rest, fenced := strings.Cut(rest, "```yaml\n")
	kustomization, _, ended := strings.Cut(rest, "```")
	if !found || !fenced || !ended {
		t.Fatal("the README has no kustomization for a policy")
	}
	files := map[string]string{"people.rego": people(t, "id")}
	for _, name := range []string{"reader.yaml", "graphveil.yaml"} {
		text, err := os.ReadFile(filepath.Join(example, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	text := string(overlay(t, kustomization, files))
	var pod corev1.PodSpec
	configMaps := 0
	for document := range strings.SplitSeq(text, "---\n") {
		o := &objects{}
		if err := o.add(document); err != nil {
			t.Fatalf("%v\n%s", err, document)
		}
		if o.deployment != nil {
			pod = o.deployment.Spec.Template.Spec
		}
		if o.config != nil {
			configMaps++
		}
	}
	processor, _ := ours(&pod)
	want := sidecar(t, minimal, "policy: {configMap: graphveil-policy}")
	chart, _ := ours(&want.deployment.Spec.Template.Spec)
	if processor == nil || len(processor.VolumeMounts) != len(chart.VolumeMounts) {
		t.Fatalf("the processor mounts something else than the chart's:\n%s", text)
	}
	for _, m := range chart.VolumeMounts {
		if !slices.ContainsFunc(processor.VolumeMounts, func(own corev1.VolumeMount) bool { return reflect.DeepEqual(own, m) }) {
			t.Errorf("the processor does not mount %s", m.MountPath)
		}
	}
	if v := byName(pod.Volumes)["graphveil-policy"]; v.ConfigMap == nil || v.ConfigMap.Name != "graphveil-policy" || configMaps != 2 {
		t.Errorf("the volume is %v, of %d ConfigMaps", v.ConfigMap, configMaps)
	}
}

func byName(volumes []corev1.Volume) map[string]corev1.Volume {
	all := map[string]corev1.Volume{}
	for _, v := range volumes {
		all[v.Name] = v
	}
	return all
}
