package policy

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/internal/testlog"
)

// TestLook: where nothing can be watched a changed policy is in force all the same, and
// one mistake is told once, not with each look.
func TestLook(t *testing.T) {
	folder, log := t.TempDir(), &testlog.Buffer{}
	put := func(text string) {
		t.Helper()
		next := filepath.Join(folder, "next")
		if err := errors.Join(os.WriteFile(next, []byte(text), 0o600), os.Rename(next, filepath.Join(folder, "custom.rego"))); err != nil {
			t.Fatal(err)
		}
	}
	put("package graphveil.custom\n\ndeny contains \"one\" if false\n")
	e, err := NewEngine(t.Context(), Config{Paths: []string{Builtin, folder}}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	reloads := make(chan bool, 100)
	e.OnReload(func(ok bool) { reloads <- ok })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.look(ctx, 10*time.Millisecond, errors.New("too many open files")) }()
	await := func(want bool) {
		t.Helper()
		select {
		case ok := <-reloads:
			if ok != want {
				t.Fatalf("reloaded: %v\n%s", ok, log)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("no reload")
		}
	}
	before := e.Current().Revision()
	put("package graphveil.custom\n\ndeny contains \"two\" if\n")
	await(false)
	time.Sleep(200 * time.Millisecond)
	if len(reloads) > 0 || e.Current().Revision() != before {
		t.Errorf("the same mistake was told %d times more", len(reloads))
	}
	put("package graphveil.custom\n\ndeny contains \"two\" if false\n")
	await(true)
	if e.Current().Revision() == before {
		t.Error("the new policy is not in force")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if !strings.Contains(log.String(), "noticed late") {
		t.Error("nobody is told")
	}
}
