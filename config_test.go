package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// deploy/graphveil.yaml is the reference of the configuration: it must decode,
// and name every key that there is.
func TestExampleConfigurationIsComplete(t *testing.T) {
	text, err := os.ReadFile("deploy/graphveil.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c Config
	if err := decodeConfig(text, &c); err != nil {
		t.Fatal(err)
	}
	if c.Processor.DrainTimeout != 25*time.Second || c.Tokens.Connectors["outlook_mail"].ClientID == "" {
		t.Errorf("values were lost: %+v", c)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	for _, missing := range missingKeys(reflect.TypeFor[Config](), tree, "") {
		if missing == "envoy.processor" { // refused: processor.listen says it
			continue
		}
		t.Errorf("deploy/graphveil.yaml lacks the key %s", missing)
	}
}

func missingKeys(t reflect.Type, tree map[string]any, path string) []string {
	var missing []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" {
			continue
		}
		value, ok := tree[name]
		if name == "" || !ok {
			missing = append(missing, path+name)
			continue
		}
		sub, _ := value.(map[string]any)
		switch {
		case f.Type.Kind() == reflect.Struct:
			missing = append(missing, missingKeys(f.Type, sub, path+name+".")...)
		case f.Type.Kind() == reflect.Map && f.Type.Elem().Kind() == reflect.Struct:
			for key, entry := range sub {
				inner, _ := entry.(map[string]any)
				missing = append(missing, missingKeys(f.Type.Elem(), inner, path+name+"."+key+".")...)
			}
		}
	}
	return slices.Compact(missing)
}

func TestConfigurationErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"polcy: {}", "polcy"},
		{"policy: {path: [x]}", "path"},
		{"processor: {idle_timeout: soon}", `invalid duration "soon"`},
		{"policy: [", "graphveil.yaml documents"},
		{"pseudonyms: {salt: abc}", "salt"},
		{"envoy: {processor: /run/x.sock}", "processor.listen"},
	} {
		err := decodeConfig([]byte(test.text), &Config{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one that names %q", test.text, err, test.want)
		}
	}
}

func TestSecretsComeFromFilesOrTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir + "/" + name
	}
	t.Setenv("GRAPHVEIL_SALT", "")
	t.Setenv("GRAPHVEIL_KEY", "")
	p := PseudonymConfig{SaltFile: write("salt", "salt\n"), KeyFile: write("key", "secret")}
	c, links, err := p.keys()
	if err != nil || c.Salt != "salt" || c.Key != "secret" || len(links) != 1 {
		t.Errorf("keys from files: %d link keys, %v", len(links), err)
	}
	t.Setenv("GRAPHVEIL_SALT", "pepper")
	if c, _, err := p.keys(); err != nil || c.Salt != "pepper" {
		t.Errorf("the environment does not come first: %v", err)
	}
	p.LinkKeyFiles = []string{write("link", "c2hvcnQ=")}
	if _, _, err := p.keys(); err == nil || strings.Contains(err.Error(), "c2hvcnQ") {
		t.Errorf("short link key: error %v", err)
	}
	for name, p := range map[string]PseudonymConfig{
		"no key":  {SaltFile: p.SaltFile},
		"empty":   {SaltFile: p.SaltFile, KeyFile: write("empty", "\n")},
		"absent":  {SaltFile: p.SaltFile, KeyFile: dir + "/absent"},
		"domains": {SaltFile: p.SaltFile, KeyFile: p.KeyFile, Domains: "hide"},
	} {
		if _, _, err := p.keys(); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(fmt.Sprint(err), "secret\"") {
			t.Errorf("%s: the error holds a secret: %v", name, err)
		}
	}
}

// Domains and IP addresses can have salt and key of their own.
func TestKeysOfTheirOwn(t *testing.T) {
	folder := t.TempDir()
	file := func(name string) string {
		path := folder + "/" + name
		if err := os.WriteFile(path, []byte(name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("GRAPHVEIL_SALT", "")
	t.Setenv("GRAPHVEIL_KEY", "")
	p := PseudonymConfig{SaltFile: file("salt"), KeyFile: file("key")}
	shared, _, err := p.keys()
	if err != nil || shared.DomainSalt+shared.DomainKey+shared.IPSalt+shared.IPKey != "" {
		t.Errorf("%+v, %v", shared, err)
	}
	p.DomainSaltFile, p.DomainKeyFile, p.IPSaltFile, p.IPKeyFile = file("ds"), file("dk"), file("is"), file("ik")
	own, _, err := p.keys()
	if got := []string{own.Salt, own.Key, own.DomainSalt, own.DomainKey, own.IPSalt, own.IPKey}; err != nil || !slices.Equal(got, []string{"salt", "key", "ds", "dk", "is", "ik"}) {
		t.Errorf("%q, %v", got, err)
	}
	p.IPKeyFile = folder + "/none"
	if _, _, err := p.keys(); err == nil || !strings.Contains(err.Error(), "pseudonyms.ip_key_file") {
		t.Errorf("a missing file: %v", err)
	}
}
