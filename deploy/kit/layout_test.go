package kit

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/graphveil/graphveil/deploy/kit"

// Packages of the kit do not import each other: each can be read, run and thrown
// away alone.
func TestPackagesStandAlone(t *testing.T) {
	const format = `{{.ImportPath}} {{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}}`
	out, err := exec.Command("go", "list", "-f", format, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		for _, imported := range fields[1:] {
			if strings.HasPrefix(imported, module) && thing(imported) != thing(fields[0]) {
				t.Errorf("%s imports %s", fields[0], imported)
			}
		}
		seen++
	}
	if seen == 0 {
		t.Error("no packages")
	}
}

// What only the kit needs is not needed by the sidecar's module, whose go.mod has
// everything that goes into its packages and their tests.
func TestHeavyLibrariesStayHere(t *testing.T) {
	heavy := []string{"helm.sh/", "k8s.io/", "istio.io/", "github.com/google/go-containerregistry", "github.com/prometheus/prometheus", "github.com/envoyproxy/gateway"}
	text, err := os.ReadFile("../../go.mod")
	if err != nil || !strings.Contains(string(text), "google.golang.org/grpc ") {
		t.Fatal("go.mod of the sidecar, with gRPC in it:", err)
	}
	for line := range strings.Lines(string(text)) {
		if slices.ContainsFunc(heavy, func(h string) bool { return strings.HasPrefix(strings.TrimSpace(line), h) }) {
			t.Errorf("the sidecar's module requires %s", strings.TrimSpace(line))
		}
	}
}

// thing is the first folder below the module.
func thing(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, module), "/"), "/")
	return first
}
