package chart

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const user = 65532

// ours are the containers that the chart makes.
func ours(pod *corev1.PodSpec) (processor, envoy *corev1.Container) {
	for _, list := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range list {
			switch list[i].Name {
			case "graphveil":
				processor = &list[i]
			case "envoy":
				envoy = &list[i]
			}
		}
	}
	return processor, envoy
}

// checkPod holds what is so in every shape.
func checkPod(t *testing.T, pod *corev1.PodSpec, audience string) {
	t.Helper()
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("the Pod has a token of the Kubernetes API")
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC || pod.ShareProcessNamespace != nil {
		t.Error("the Pod shares a namespace")
	}
	processor, envoy := ours(pod)
	if processor == nil || envoy == nil {
		t.Fatal("not both containers")
	}
	volumes := map[string]corev1.Volume{}
	for _, v := range pod.Volumes {
		if _, twice := volumes[v.Name]; twice {
			t.Errorf("volume %s twice", v.Name)
		}
		volumes[v.Name] = v
		if v.HostPath != nil {
			t.Errorf("volume %s is of the host", v.Name)
		}
	}
	for _, c := range []*corev1.Container{processor, envoy} {
		checkContainer(t, c)
		for _, m := range c.VolumeMounts {
			v, found := volumes[m.Name]
			switch {
			case !found:
				t.Errorf("%s mounts %s, which is nothing", c.Name, m.Name)
			case m.SubPath != "":
				t.Errorf("%s: a mount with subPath is never updated: %s", c.Name, m.MountPath)
			case !m.ReadOnly && (v.EmptyDir == nil || v.EmptyDir.Medium != corev1.StorageMediumMemory || v.EmptyDir.SizeLimit == nil):
				t.Errorf("%s may write to %s, which is not memory with a limit", c.Name, m.MountPath)
			}
		}
	}
	// A sidecar container: started before Envoy, stopped after it.
	if p := slices.IndexFunc(pod.InitContainers, func(c corev1.Container) bool { return c.Name == "graphveil" }); p < 0 ||
		processor.RestartPolicy == nil || *processor.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("the processor is no sidecar container: it may end before Envoy")
	} else if e := slices.IndexFunc(pod.InitContainers, func(c corev1.Container) bool { return c.Name == "envoy" }); e >= 0 && e < p {
		t.Error("Envoy ends after the processor")
	}

	secrets := map[string][]string{} // container: what of a secret it has
	for _, list := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for _, c := range list {
			for _, m := range c.VolumeMounts {
				if v := volumes[m.Name]; v.Secret != nil || v.Projected != nil || v.EmptyDir != nil {
					secrets[c.Name] = append(secrets[c.Name], m.Name)
				}
			}
			slices.Sort(secrets[c.Name])
		}
	}
	for name, mounted := range secrets {
		want := map[string][]string{
			"graphveil": {"graphveil-files", "graphveil-socket", "graphveil-token"},
			"envoy":     {"graphveil-envoy", "graphveil-socket", "graphveil-tls"},
		}[name]
		if want == nil {
			want = []string{"graphveil-trust"} // the application
		}
		if name == "graphveil" && audience == "" {
			want = slices.DeleteFunc(want, func(s string) bool { return s == "graphveil-token" })
		}
		if !slices.Equal(mounted, want) {
			t.Errorf("%s mounts %v, want %v", name, mounted, want)
		}
	}
	checkToken(t, volumes, audience)
}

func checkContainer(t *testing.T, c *corev1.Container) {
	t.Helper()
	s := c.SecurityContext
	switch {
	case s == nil:
		t.Fatalf("%s has no securityContext", c.Name)
	case s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation,
		s.Privileged == nil || *s.Privileged,
		s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem,
		s.RunAsNonRoot == nil || !*s.RunAsNonRoot,
		s.RunAsUser == nil || *s.RunAsUser != user,
		s.RunAsGroup == nil || *s.RunAsGroup != user,
		s.Capabilities == nil || len(s.Capabilities.Add) != 0 || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}),
		s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
		t.Errorf("%s may too much: %v", c.Name, s)
	}
	for kind, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "readiness": c.ReadinessProbe, "liveness": c.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil {
			t.Errorf("%s has no %s probe", c.Name, kind)
			continue
		}
		if port := probe.HTTPGet.Port.StrVal; !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port }) {
			t.Errorf("%s: the %s probe asks port %q, which it does not have", c.Name, kind, port)
		}
		if want := map[string]string{"readiness": "/readyz", "liveness": "/healthz"}[kind]; want != "" && probe.HTTPGet.Path != want {
			t.Errorf("%s: the %s probe asks %s", c.Name, kind, probe.HTTPGet.Path)
		}
	}
	for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request, limit := c.Resources.Requests[resource], c.Resources.Limits[resource]
		if request.IsZero() || limit.Cmp(request) < 0 {
			t.Errorf("%s requests %s of %s, at most %s", c.Name, request.String(), resource, limit.String())
		}
	}
	if len(c.EnvFrom) > 0 || len(c.Command) > 0 {
		t.Errorf("%s has an environment from elsewhere, or another entry point: %v %v", c.Name, c.EnvFrom, c.Command)
	}
	for _, e := range c.Env {
		// Where the image says, the processor's folder, Envoy may not write.
		if e.Name != "TMPDIR" || !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == e.Value && !m.ReadOnly }) {
			t.Errorf("%s: %s in the environment", c.Name, e.Name)
		}
	}
	if c.Image == "" || strings.HasSuffix(c.Image, ":latest") || strings.HasSuffix(c.Image, ":") {
		t.Errorf("%s: image %q", c.Name, c.Image)
	}
}

func checkToken(t *testing.T, volumes map[string]corev1.Volume, audience string) {
	t.Helper()
	found := 0
	for name, v := range volumes {
		if v.Projected == nil {
			continue
		}
		for _, source := range v.Projected.Sources {
			token := source.ServiceAccountToken
			if token == nil || token.Audience != audience || token.ExpirationSeconds == nil || *token.ExpirationSeconds < 600 || *token.ExpirationSeconds > 3600 {
				t.Errorf("%s projects %v, want a token for %q and an hour at most", name, source, audience)
			}
			found++
		}
	}
	if want := map[bool]int{true: 1}[audience != ""]; found != want {
		t.Errorf("%d tokens, want %d", found, want)
	}
}
