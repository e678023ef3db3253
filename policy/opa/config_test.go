package opa_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/opa"
)

func TestReadRefuses(t *testing.T) {
	const base = "services: {control: {url: 'http://127.0.0.1:1'}}\nkeys: {release: {key: x, algorithm: HS256}}\n"
	for _, test := range []struct{ name, text, want string }{
		{"no YAML", "{", "neither YAML nor JSON"},
		{"unsigned bundle", base + "bundles: {main: {service: control}}", "bundles.main: the bundle need not be signed"},
		{"unsigned discovery", base + "discovery: {resource: x}", "discovery: the bundle need not be signed"},
		{"unsigned deltas", base + "bundles: {main: {signing: {keyid: release, allow_unsigned_delta_bundles: true}}}", "allow_unsigned_delta_bundles"},
		{"unsigned files", base + "bundles: {main: {signing: {keyid: release, exclude_files: ['*.rego']}}}", "exclude_files"},
		{"old form", base + "bundle: {name: main, service: control}", "old form"},
	} {
		file := filepath.Join(t.TempDir(), "opa.yaml")
		if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := opa.Read(file)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	if _, err := opa.Read(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}
