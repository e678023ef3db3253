package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/check"
)

// The bootstrap that is printed passes the check; spoiled, it fails; and what is no
// configuration of Envoy is not judged.
func TestEnvoyCheck(t *testing.T) {
	b, err := envoy.Render(envoy.Config{TLS: envoy.TLS{CertFile: "a.crt", KeyFile: "a.key"}})
	if err != nil {
		t.Fatal(err)
	}
	good, err := envoy.YAML(b)
	if err != nil {
		t.Fatal(err)
	}
	spoiled := bytes.Replace(good, []byte("message_timeout:"), []byte("failure_mode_allow: true\n              message_timeout:"), 1)
	for _, test := range []struct {
		name string
		text []byte
		host string
		want int
	}{
		{"good", good, envoy.DefaultHost, 0},
		{"spoiled", spoiled, envoy.DefaultHost, exitFailed},
		{"of another host", good, "other.example", exitFailed},
		{"not Envoy's", []byte("listeners: []"), envoy.DefaultHost, exitUsage},
	} {
		file := filepath.Join(t.TempDir(), "envoy.yaml")
		if err := os.WriteFile(file, test.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := execute(t.Context(), []string{"envoy", "check", "--host", test.host, file}); got != test.want {
			t.Errorf("%s: exit status %d, want %d", test.name, got, test.want)
		}
	}
	if got := execute(t.Context(), []string{"envoy", "check", filepath.Join(t.TempDir(), "none")}); got != exitUsage {
		t.Errorf("no file: exit status %d", got)
	}
}

// --json prints a list, with all that the lines have.
func TestEnvoyCheckJSON(t *testing.T) {
	var out bytes.Buffer
	if err := writeFindings(&out, nil); err != nil || out.String() != "[]\n" {
		t.Errorf("nothing: %q (%v)", &out, err)
	}
	out.Reset()
	if err := writeFindings(&out, []check.Finding{{Code: "mirror", Where: "there", Detail: "x"}, {Code: "hedge", Where: "here"}}); err != nil {
		t.Fatal(err)
	}
	var got []map[string]string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got) != 2 {
		t.Fatalf("%s (%v)", &out, err)
	}
	if got[0]["code"] != "mirror" || got[0]["severity"] != "error" || got[0]["where"] != "there" || got[0]["detail"] != "x" || got[0]["says"] == "" || got[0]["do"] == "" || got[1]["severity"] != "warning" {
		t.Errorf("got %v", got)
	}
}
