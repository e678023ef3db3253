package terraform_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// module is one folder of Terraform, read as Terraform reads it: all its files are one body.
type module struct {
	dir    string
	blocks []*hclsyntax.Block
	// locals are by name.
	locals map[string]hclsyntax.Expression
}

func readModule(t *testing.T, dir string) *module {
	t.Helper()
	m := &module{dir: dir, locals: map[string]hclsyntax.Expression{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	parser := hclparse.NewParser()
	for _, name := range files {
		file, problems := parser.ParseHCLFile(name)
		if problems.HasErrors() {
			t.Fatal(problems)
		}
		m.blocks = append(m.blocks, file.Body.(*hclsyntax.Body).Blocks...)
	}
	for _, b := range m.named("locals") {
		for name, a := range b.Body.Attributes {
			m.locals[name] = a.Expr
		}
	}
	return m
}

// modules are all folders with Terraform in them.
func modules(t *testing.T) []*module {
	t.Helper()
	var all []*module
	for _, pattern := range []string{"entra", "examples/*"} {
		dirs, err := filepath.Glob(pattern)
		if err != nil || len(dirs) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, dir := range dirs {
			all = append(all, readModule(t, dir))
		}
	}
	return all
}

// named returns the blocks of a type whose first labels are those.
func (m *module) named(kind string, labels ...string) []*hclsyntax.Block {
	var found []*hclsyntax.Block
	for _, b := range m.blocks {
		if b.Type == kind && len(b.Labels) >= len(labels) && slices.Equal(b.Labels[:len(labels)], labels) {
			found = append(found, b)
		}
	}
	return found
}

// one is named where there must be one.
func (m *module) one(t *testing.T, kind string, labels ...string) *hclsyntax.Block {
	t.Helper()
	found := m.named(kind, labels...)
	if len(found) != 1 {
		t.Fatalf("%s has %d blocks %s %s", m.dir, len(found), kind, strings.Join(labels, "."))
	}
	return found[0]
}

// text is a constant attribute.
func text(t *testing.T, body *hclsyntax.Body, name string) string {
	t.Helper()
	a := body.Attributes[name]
	if a == nil {
		t.Fatalf("no %s", name)
	}
	v, problems := a.Expr.Value(nil)
	if problems.HasErrors() || v.Type() != cty.String {
		t.Fatalf("%s is not a constant string: %v", name, problems)
	}
	return v.AsString()
}

// references are what an expression names outside of itself: its own loop variables aside, those of dynamic blocks and each aside.
func references(body *hclsyntax.Body, loops []string, visit func(hcl.Traversal)) {
	for name, a := range body.Attributes {
		if name == "ignore_changes" || name == "type" && body.Attributes["description"] != nil { // names of attributes, a variable's type
			continue
		}
		for _, v := range a.Expr.Variables() {
			if !slices.Contains(loops, v.RootName()) {
				visit(v)
			}
		}
	}
	for _, b := range body.Blocks {
		inner := loops
		if b.Type == "dynamic" {
			inner = append(slices.Clone(loops), b.Labels[0])
		}
		references(b.Body, inner, visit)
	}
}

// TestReferences holds every name in an expression against what is declared, in the module and between a folder and the module that
// it uses, and every declaration against its use.
func TestReferences(t *testing.T) {
	for _, m := range modules(t) {
		used := map[string]bool{}
		for _, b := range m.blocks {
			each := b.Body.Attributes["for_each"] != nil
			references(b.Body, nil, func(v hcl.Traversal) {
				step := func(i int) string {
					if i < len(v) {
						if a, ok := v[i].(hcl.TraverseAttr); ok {
							return a.Name
						}
					}
					return ""
				}
				known := false
				switch root := v.RootName(); root {
				case "var":
					known = len(m.named("variable", step(1))) == 1
				case "local":
					known = m.locals[step(1)] != nil
				case "data":
					known = len(m.named("data", step(1), step(2))) == 1
				case "module":
					known = knownInModule(t, m, step)
				case "each":
					known = each && (step(1) == "key" || step(1) == "value")
				case "path":
					known = step(1) == "module"
				case "self":
					known = b.Type == "resource"
				default:
					known = len(m.named("resource", root, step(1))) == 1
				}
				if !known {
					t.Errorf("%s: nothing declares what %s %s names", v.SourceRange(), b.Type, strings.Join(b.Labels, "."))
				}
				used[v.RootName()+"."+step(1)] = true
			})
		}
		for _, b := range m.named("variable") {
			if !used["var."+b.Labels[0]] {
				t.Errorf("%s: the variable %s is not used", m.dir, b.Labels[0])
			}
		}
		for name := range m.locals {
			if !used["local."+name] {
				t.Errorf("%s: the local %s is not used", m.dir, name)
			}
		}
	}
}

// knownInModule follows module.entra.x: an output of the module, or, in the target of an import, a resource of it.
func knownInModule(t *testing.T, m *module, step func(int) string) bool {
	calls := m.named("module", step(1))
	if len(calls) != 1 {
		return false
	}
	called := readModule(t, filepath.Join(m.dir, text(t, calls[0].Body, "source")))
	return len(called.named("output", step(2))) == 1 || len(called.named("resource", step(2), step(3))) == 1
}

// TestCallsFit gives the module each of its variables and none that it does not have.
func TestCallsFit(t *testing.T) {
	calls := 0
	for _, m := range modules(t) {
		for _, call := range m.named("module") {
			calls++
			called := readModule(t, filepath.Join(m.dir, text(t, call.Body, "source")))
			for name := range call.Body.Attributes {
				if name != "source" && len(called.named("variable", name)) == 0 {
					t.Errorf("%s passes %s, which %s does not take", m.dir, name, called.dir)
				}
			}
			for _, v := range called.named("variable") {
				if call.Body.Attributes[v.Labels[0]] == nil {
					t.Errorf("%s does not pass %s", m.dir, v.Labels[0])
				}
			}
		}
	}
	if calls != 3 {
		t.Errorf("%d calls", calls)
	}
}

// TestExamplesShareTheEntraSide: a person who knows one example knows that part of the others.
func TestExamplesShareTheEntraSide(t *testing.T) {
	want, err := os.ReadFile("examples/kubernetes/entra.tf")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("examples/*/entra.tf")
	for _, name := range files {
		if got, err := os.ReadFile(name); err != nil || string(got) != string(want) {
			t.Errorf("%s is not as examples/kubernetes/entra.tf, %v", name, err)
		}
	}
	if len(files) != 3 {
		t.Errorf("%d examples", len(files))
	}
}

// TestProvidersArePinned wants every provider that a module uses declared with its source and bounded to one major version.
func TestProvidersArePinned(t *testing.T) {
	for _, m := range modules(t) {
		terraform := m.one(t, "terraform")
		if got := text(t, terraform.Body, "required_version"); got != ">= 1.7, < 2.0" {
			t.Errorf("%s wants Terraform %s", m.dir, got)
		}
		pinned := map[string]bool{}
		for _, b := range terraform.Body.Blocks {
			for name, a := range b.Body.Attributes {
				v, problems := a.Expr.Value(nil)
				if problems.HasErrors() {
					t.Fatal(problems)
				}
				source, version := v.GetAttr("source").AsString(), v.GetAttr("version").AsString()
				if source != "hashicorp/"+name || !strings.HasPrefix(version, "~> ") || strings.Count(version, ".") != 1 {
					t.Errorf("%s: provider %s is %s %s", m.dir, name, source, version)
				}
				pinned[name] = true
			}
		}
		used := map[string]bool{}
		if len(m.named("module")) > 0 { // the one that they call uses it
			used["azuread"] = true
		}
		for _, b := range m.blocks {
			switch b.Type {
			case "resource", "data":
				provider, _, _ := strings.Cut(b.Labels[0], "_")
				used[provider] = true
			case "provider":
				used[b.Labels[0]] = true
			}
		}
		for name := range used {
			if !pinned[name] {
				t.Errorf("%s: provider %s is not pinned", m.dir, name)
			}
		}
		for name := range pinned {
			if !used[name] {
				t.Errorf("%s: provider %s is pinned and not used", m.dir, name)
			}
		}
	}
}

// resources are all that may ever be in a state. None of them has a secret: a password, a key or a certificate would be readable in it.
var resources = []string{
	"aws_iam_outbound_web_identity_federation", "aws_iam_role", "aws_iam_role_policy",
	"azuread_app_role_assignment", "azuread_application", "azuread_application_federated_identity_credential", "azuread_service_principal",
	"google_service_account", "google_service_account_iam_member",
}

func TestStateHoldsNoSecret(t *testing.T) {
	for _, m := range modules(t) {
		for _, b := range m.named("resource") {
			if !slices.Contains(resources, b.Labels[0]) {
				t.Errorf("%s makes %s: if its attributes hold no secret, name it here", m.dir, b.Labels[0])
			}
			for _, inner := range b.Body.Blocks {
				if strings.Contains(inner.Type, "password") || strings.Contains(inner.Type, "secret") {
					t.Errorf("%s: %s has a %s", m.dir, b.Labels[0], inner.Type)
				}
			}
		}
	}
}
