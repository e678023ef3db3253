package chart

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// Paths of the programs that the containers have.
var graphveil, envoy string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if os.Getenv(insidePod) != "" { // the test that started this one has built it
			graphveil, envoy = os.Getenv("GRAPHVEIL"), os.Getenv("ENVOY")
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "gv-chart-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		graphveil = filepath.Join(dir, "graphveil")
		build := exec.Command("go", "build", "-trimpath", "-o", graphveil, ".")
		build.Dir, build.Env = "../../..", append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building graphveil: %v\n%s", err, out)
			return 1
		}
		if envoy = os.Getenv("ENVOY"); envoy == "" {
			envoy, _ = filepath.Abs("../../../.tools/envoy-1.40.0/envoy")
		}
		if _, err := os.Stat(envoy); err != nil {
			fmt.Fprintln(os.Stderr, "these tests need Envoy: make envoy, or set ENVOY:", err)
			return 1
		}
		return m.Run()
	}())
}

// checkConfig gives the configuration to graphveil, what it makes of it to Envoy, and
// looks for a mount of every file in it.
func checkConfig(t *testing.T, pod *corev1.PodSpec, config string) {
	t.Helper()
	dir := t.TempDir()
	file, bootstrap := filepath.Join(dir, "graphveil.yaml"), filepath.Join(dir, "envoy.yaml")
	write(t, file, config)
	var errs bytes.Buffer
	command := exec.Command(graphveil, "envoy", "config", "--config", file)
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("graphveil refuses the configuration: %v\n%s%s", err, errs.String(), config)
	}
	// Envoy reads the certificate and the keys of callers' issuer when it validates.
	pair := filepath.Join(dir, "pair")
	writePair(t, pair)
	write(t, pair+"/jwks.json", `{"keys": [{"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`)
	text := strings.NewReplacer(
		"/var/run/secrets/graphveil/tls", pair,
		"/etc/graphveil-clients/ca.crt", pair+"/tls.crt",
		"/etc/graphveil-issuer/", pair+"/",
	).Replace(string(out))
	write(t, bootstrap, text)
	if out, err := exec.Command(envoy, "--mode", "validate", "-c", bootstrap, "--disable-hot-restart").CombinedOutput(); err != nil {
		t.Errorf("Envoy refuses the bootstrap: %v\n%s", err, out)
	}

	processor, proxy := ours(pod)
	for _, line := range strings.Split(config, "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(strings.TrimLeft(line, " -")), ": ")
		if !strings.HasPrefix(value, "/") {
			continue
		}
		container := processor
		if slices.Contains([]string{"cert_file", "client_ca_file", "jwks_file"}, key) || strings.HasSuffix(value, "/tls/tls.key") {
			container = proxy
		}
		if !slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool { return strings.HasPrefix(value, m.MountPath+"/") }) {
			t.Errorf("%s: %s is not mounted into %s", key, value, container.Name)
		}
	}
	for _, c := range []*corev1.Container{processor, proxy} {
		if !slices.Contains(c.Args, "/etc/graphveil/graphveil.yaml") {
			t.Errorf("%s does not read the configuration: %v", c.Name, c.Args)
		}
	}
}
