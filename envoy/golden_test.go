package envoy_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

var update = flag.Bool("update", false, "rewrite ../testdata/envoy/out")

const golden = "../testdata/envoy"

func readConfig(t *testing.T, name string) envoy.Config {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var config envoy.Config
	if err := yaml.UnmarshalWithOptions(raw, &config, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return config
}

// TestGolden holds the bootstrap of every configuration in testdata/envoy/in
// against the one in out, and shows it to the real Envoy.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob(golden + "/in/*.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no configurations in %s/in: %v", golden, err)
	}
	outputs, err := filepath.Glob(golden + "/out/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !*update && len(outputs) != len(inputs) {
		t.Errorf("%d configurations but %d bootstraps: run go test -update", len(inputs), len(outputs))
	}
	binary := envoytest.Binary(t)
	a := envoytest.NewAuthority(t)
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			bootstrap, err := envoy.Render(readConfig(t, input))
			if err != nil {
				t.Fatal(err)
			}
			got, err := envoy.YAML(bootstrap)
			if err != nil {
				t.Fatal(err)
			}
			output := filepath.Join(golden, "out", filepath.Base(input))
			if *update {
				if err := os.WriteFile(output, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(output)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the bootstrap is not the one in %s: look at the difference after go test -update", output)
			}
			sameInEveryForm(t, bootstrap, got)
			validate(t, binary, a, got)
		})
	}
}

// sameInEveryForm reads the YAML back.
func sameInEveryForm(t *testing.T, want *bootstrapv3.Bootstrap, form []byte) {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON(form)
	if err != nil {
		t.Fatal(err)
	}
	got := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(asJSON, got); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) {
		t.Error("the YAML does not say what the proto says")
	}
}

// validate lets Envoy check the bootstrap, in a folder that has the files that
// it names.
func validate(t *testing.T, binary string, a *envoytest.Authority, bootstrap []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "certs"), 0o700); err != nil {
		t.Fatal(err)
	}
	server := a.Issue(t, "localhost")
	for name, from := range map[string]string{
		"certs/ca.crt":     a.File,
		"certs/server.crt": server.CertFile,
		"certs/server.key": server.KeyFile,
	} {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Not every machine has its authorities there.
	bootstrap = bytes.ReplaceAll(bootstrap, []byte("/etc/ssl/certs/ca-certificates.crt"), []byte("certs/ca.crt"))
	if err := os.WriteFile(filepath.Join(dir, "envoy.yaml"), bootstrap, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, "--mode", "validate", "--config-path", "envoy.yaml", "--log-level", "warning")
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("envoy refuses the bootstrap: %v\n%s", err, out)
	}
	if bytes.Contains(out, []byte("deprecated")) || bytes.Contains(out, []byte("Deprecated")) {
		t.Errorf("envoy warns of the bootstrap:\n%s", out)
	}
}

func TestJSONIsStable(t *testing.T) {
	config := readConfig(t, golden+"/in/everything.yaml")
	var first []byte
	for range 20 {
		bootstrap, err := envoy.Render(config)
		if err != nil {
			t.Fatal(err)
		}
		got, err := envoy.JSON(bootstrap)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if !bytes.Equal(got, first) {
			t.Fatal("two renderings differ")
		}
	}
}
