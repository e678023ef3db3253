package policy_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/graphveil/graphveil/policy"
)

// TestLoadRefuses loads each archive of testdata/bad. Its comment holds, for each
// error that is to be found, in order:
//
//	code | file:line | path | part of the message | part of the hint
func TestLoadRefuses(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no archives", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var want [][]string
			for _, line := range strings.Split(strings.TrimSpace(string(txtar.Parse(text).Comment)), "\n") {
				if strings.HasPrefix(line, "#") {
					continue
				}
				parts := strings.Split(line, "|")
				if len(parts) != 5 {
					t.Fatalf("expected five parts: %s", line)
				}
				for i := range parts {
					parts[i] = strings.TrimSpace(parts[i])
				}
				want = append(want, parts)
			}
			folder := t.TempDir()
			write(t, folder, string(text))
			_, err = policy.Load(context.Background(), policy.Config{Paths: []string{folder}})
			checkErrors(t, folder, errorsOf(t, err), want)
		})
	}
}

func checkErrors(t *testing.T, folder string, got policy.Errors, want [][]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d errors, want %d:\n%v", len(got), len(want), got)
		return
	}
	for i, e := range got {
		place := strings.TrimPrefix(strings.TrimPrefix(e.File, filepath.ToSlash(folder)), "/")
		if e.Line > 0 && !strings.HasPrefix(place, "lib/") { // the library may change
			place += ":" + strconv.Itoa(e.Line)
		}
		if e.Code != want[i][0] || place != want[i][1] || e.Path != want[i][2] || !strings.Contains(e.Message, want[i][3]) || !strings.Contains(e.Hint, want[i][4]) || want[i][4] == "" && e.Hint != "" {
			t.Errorf("error %d:\n%s | %s | %s | %s | %s, want\n%s", i, e.Code, place, e.Path, e.Message, e.Hint, strings.Join(want[i], " | "))
		}
		if !strings.Contains(e.Error(), e.Message) || !strings.Contains(e.Error(), e.Path) || !strings.Contains(e.Error(), e.Hint) {
			t.Errorf("text %q leaves something out", e.Error())
		}
	}
}

func TestLoadRefusesConfig(t *testing.T) {
	folder := t.TempDir()
	good := filepath.Join(folder, "good")
	write(t, good, connector(`endpoints["a"] := {"methods": {"GET"}, "path": "/a", "response": {}}
`))
	notBundle := filepath.Join(folder, "x.tar.gz")
	if err := os.WriteFile(notBundle, []byte("no gzip"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		config policy.Config
		want   [][]string
	}{
		{"missing folder", policy.Config{Paths: []string{folder + "/none"}}, [][]string{{"read_error", "none", "", "no such file", ""}}},
		{"missing bundle", policy.Config{Paths: []string{folder + "/none.tar.gz"}}, [][]string{{"read_error", "none.tar.gz", "", "no such file", ""}}},
		{"no bundle", policy.Config{Paths: []string{notBundle}}, [][]string{{"bundle_error", "x.tar.gz", "", "reading the bundle", ""}}},
		{"folder twice", policy.Config{Paths: []string{good, good}}, [][]string{{"parse_error", "good/test.rego", "", "given twice", ""}}},
		{"option", policy.Config{Settings: map[string]string{"idz": "clear"}}, [][]string{{"unknown_option", "", "", `no option "idz"`, `"ids"`}}},
		{"value", policy.Config{Settings: map[string]string{"ids": "claer"}}, [][]string{{"unknown_option_value", "", "", `option "ids" cannot be "claer"`, "reversible or clear"}}},
		{"empty value", policy.Config{Settings: map[string]string{"ids": ""}}, [][]string{{"unknown_option_value", "", "", `option "ids" cannot be ""`, "reversible or clear"}}},
		{"connector", policy.Config{Connectors: []string{"entra_id", "outlook"}}, [][]string{{"unknown_connector", "", "", `no connector "outlook"`, "outlook_mail"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.Load(context.Background(), test.config)
			checkErrors(t, folder, errorsOf(t, err), test.want)
		})
	}
}

func TestLoadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if s, err := policy.Load(ctx, policy.Config{}); err == nil || s != nil {
		t.Errorf("got %v, %v; want an error", s, err)
	}
}
