package policy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/odata"
)

// write unpacks a txtar archive into a folder. Each file is there wholly or not
// at all, for those who watch.
func write(t testing.TB, folder, archive string) {
	t.Helper()
	for _, file := range txtar.Parse([]byte(archive)).Files {
		name := filepath.Join(folder, filepath.FromSlash(file.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name+".new", file.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
}

// loadArchive loads the policy that a txtar archive holds.
func loadArchive(t testing.TB, archive string) (*policy.Snapshot, error) {
	t.Helper()
	folder := t.TempDir()
	write(t, folder, archive)
	return policy.Load(context.Background(), policy.Config{Paths: []string{folder}})
}

func mustLoad(t testing.TB, archive string) *policy.Snapshot {
	t.Helper()
	s, err := loadArchive(t, archive)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// loadBuiltin loads the shipped connectors once for all tests.
var loadBuiltin = sync.OnceValues(func() (*policy.Snapshot, error) {
	return policy.Load(context.Background(), policy.Config{})
})

func builtin(t testing.TB) *policy.Snapshot {
	t.Helper()
	s, err := loadBuiltin()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// connector is a policy with the given Rego in a connector named test, whose
// METADATA and permissions are there already. Line 10 is the first of the Rego.
func connector(rego string) string {
	uses := "import data.graphveil.shape"
	if !strings.Contains(rego, "shape.") {
		uses = "# No operation is used." // strict mode refuses an unused import
	}
	return `-- test.rego --
# METADATA
# title: Test
# description: A connector for tests.
package graphveil.connectors.test

` + uses + `

permissions := {"User.Read.All"}

` + rego
}

// errorsOf returns what is wrong with a policy.
func errorsOf(t testing.TB, err error) policy.Errors {
	t.Helper()
	var list policy.Errors
	if err == nil || !errors.As(err, &list) {
		t.Fatalf("got error %v, want policy.Errors", err)
	}
	return list
}

func parseTarget(t testing.TB, target string) odata.Target {
	t.Helper()
	parsed, err := odata.ParseTarget(target)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return parsed
}

// token is a reversible token in form; it stands for no id.
var token = "p~" + strings.Repeat("Ab1-_", 13)
