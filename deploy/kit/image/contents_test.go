package main

import (
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestPrograms holds the programs against the libraries beside them: the processor
// needs none, and every version of every library that Envoy needs is there.
func TestPrograms(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	each(t, func(t *testing.T, b built, p platform) {
		_, contents := entries(t, p.image)
		parse := func(name string) *elf.File {
			f, err := elf.NewFile(bytes.NewReader(contents[name]))
			if err != nil {
				t.Fatal(name, err)
			}
			if f.Machine != machines[p.arch] {
				t.Errorf("%s is for %v", name, f.Machine)
			}
			return f
		}
		processor := parse("usr/bin/graphveil")
		if needed, err := processor.ImportedLibraries(); err != nil || len(needed) > 0 {
			t.Errorf("the processor is not static: %v, %v", needed, err)
		}
		if b.name != envoyImage {
			return
		}
		provided := map[string]map[string]bool{}
		for name := range contents {
			base := path.Base(name)
			if !strings.Contains(base, ".so.") {
				continue
			}
			versions, err := parse(name).DynamicVersions()
			if err != nil {
				t.Fatal(name, err)
			}
			provided[base] = map[string]bool{}
			for _, v := range versions {
				provided[base][v.Name] = true
			}
		}
		needs, err := parse("usr/bin/envoy").DynamicVersionNeeds()
		if err != nil || len(needs) == 0 || len(provided) == 0 {
			t.Fatalf("%d needs, %d libraries, %v", len(needs), len(provided), err)
		}
		for _, need := range needs {
			for _, version := range need.Needs {
				if !provided[need.Name][version.Dep] {
					t.Errorf("Envoy needs %s of %s, which is not there", version.Dep, need.Name)
				}
			}
		}
	})
}

// TestBill compares the bill of materials with what the Go tool says of the sources.
func TestBill(t *testing.T) {
	each(t, func(t *testing.T, b built, p platform) {
		var bom cdx.BOM
		if err := json.Unmarshal(p.sbom, &bom); err != nil {
			t.Fatal(err)
		}
		listed := map[string]cdx.Component{}
		for _, c := range *bom.Components {
			listed[c.Name+"@"+c.Version] = c
		}
		list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}}{{end}}{{end}}", ".")
		list.Dir = sources
		list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+p.arch)
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{}
		for _, module := range strings.Fields(string(out)) {
			want[module] = true
		}
		if len(want) < 20 {
			t.Fatalf("only %d modules", len(want))
		}
		own, extra := authorityModule(t), 2 // Go, authorities
		want[own] = true
		for module := range want {
			c, ok := listed[module]
			if !ok {
				t.Errorf("%s is not in the bill", module)
			} else if !strings.HasPrefix(c.PackageURL, "pkg:golang/") {
				t.Errorf("%s is called %s", module, c.PackageURL)
			}
		}
		if b.name == envoyImage {
			extra += 3
			if c := listed["envoyproxy/envoy@v"+envoyVersion]; !strings.Contains(c.CPE, ":envoy:"+envoyVersion+":") {
				t.Errorf("Envoy itself is %+v", c)
			}
			for name, hash := range map[string]string{envoyPackage + "@" + envoyVersion: envoyWheels[p.arch].sha256, "debian/libc6@" + libcVersion: libcPackages[p.arch].sha256} {
				if c := listed[name]; c.Hashes == nil || (*c.Hashes)[0].Value != hash {
					t.Errorf("%s is not in the bill, or not with its hash: %v", name, c)
				}
			}
		}
		for name, c := range listed {
			if c.Licenses == nil || len(*c.Licenses) != 1 {
				t.Errorf("%s has no licence", name)
			}
		}
		validate(t, p.sbom)
		if len(listed) != len(want)-1+extra {
			t.Errorf("%d components, want %d", len(listed), len(want)-1+extra)
		}
		if bom.Metadata.Component.Version != b.source.version {
			t.Errorf("of version %s", bom.Metadata.Component.Version)
		}
	})
}

// validate holds a bill of materials against CycloneDX's own schema.
func validate(t *testing.T, bill []byte) {
	t.Helper()
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}/schema", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(bill))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	for _, name := range []string{"bom-" + document.(map[string]any)["specVersion"].(string) + ".schema.json", "spdx.schema.json", "jsf-0.82.schema.json"} {
		text, err := os.ReadFile(path.Join(strings.TrimSpace(string(folder)), strings.Replace(name, "0.82.schema.", "0.82.schemax.", 1)))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = compiler.AddResource("http://cyclonedx.org/schema/"+name, schema)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-" + document.(map[string]any)["specVersion"].(string) + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(document); err != nil {
		t.Error(err)
	}
	document.(map[string]any)["components"].([]any)[0].(map[string]any)["licenses"] = []any{map[string]any{"license": map[string]any{"id": "Made-Up"}}}
	if schema.Validate(document) == nil {
		t.Error("the schema takes a licence that is none")
	}
}

// authorityModule is the module of authorities with the version that go.mod pins.
func authorityModule(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Path}}@{{.Version}}", authoritiesModule).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestAuthorities looks for the authorities behind Entra, Graph and the platforms that vouch for workloads.
func TestAuthorities(t *testing.T) {
	names := map[string]bool{}
	for rest := authorities(); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		names[c.Subject.CommonName] = true
	}
	for _, want := range []string{"DigiCert Global Root G2", "Microsoft RSA Root Certificate Authority 2017", "Amazon Root CA 1", "GTS Root R1"} {
		if !names[want] {
			t.Errorf("%s is missing", want)
		}
	}
}

// TestPins holds the pinned Envoy against the one that everything is tested with.
func TestPins(t *testing.T) {
	text, err := os.ReadFile(sources + "/envoy/install.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`PACKAGE = "` + envoyPackage + `"`, `VERSION = "` + envoyVersion + `"`, `MEMBER = "` + envoyMember + `"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("envoy/install.py does not say %s", want)
		}
	}
	for arch, wheel := range envoyWheels {
		if !strings.Contains(string(text), `"`+wheel.sha256+`"`) {
			t.Errorf("envoy/install.py does not have the hash for %s", arch)
		}
	}
}
