package main

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/graphveil/graphveil/auth"
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
	for _, missing := range missingBlocks(string(text)) {
		t.Errorf("deploy/graphveil.yaml lacks the credential key %s", missing)
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
		if f.Type.Kind() == reflect.Pointer { // one block of several: see missingBlocks
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

// missingBlocks returns the ways to sign in, and their keys, that the text lacks. One
// stands there, the others as comments.
func missingBlocks(text string) []string {
	var missing []string
	for f := range reflect.TypeFor[auth.Credential]().Fields() {
		name := f.Tag.Get("yaml")
		_, block, ok := strings.Cut(text, "\n    "+name+":")
		if !ok {
			if _, block, ok = strings.Cut(text, "\n    # "+name+":"); !ok {
				missing = append(missing, name)
				continue
			}
		}
		block = nextBlock.Split(block, 2)[0]
		for key := range f.Type.Elem().Fields() {
			if key := key.Tag.Get("yaml"); !strings.Contains(block, "\n      "+key+":") && !strings.Contains(block, "\n    #   "+key+":") {
				missing = append(missing, name+"."+key)
			}
		}
	}
	return missing
}

// nextBlock is the first line of another block of credential, or of what follows.
var nextBlock = regexp.MustCompile(`\n    (# )?[a-z_]+:|\n  [a-z_]+:`)

func TestConfigurationErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"polcy: {}", "polcy"},
		{"policy: {path: [x]}", "path"},
		{"processor: {idle_timeout: soon}", `invalid duration "soon"`},
		{"policy: [", "graphveil.yaml documents"},
		{"pseudonyms: {salt: abc}", "salt"},
		{"envoy: {processor: /run/x.sock}", "processor.listen"},
		{"tokens: {credential: {kubernets: {}}}", "kubernets"},
	} {
		err := decodeConfig([]byte(test.text), &Config{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one that names %q", test.text, err, test.want)
		}
	}
}

// Who writes a secret into the configuration, or has one near another mistake, does not
// find it in an error, and so in a log.
func TestConfigurationErrorsQuoteNoValues(t *testing.T) {
	const secret = "SECRETvalue"
	for _, text := range []string{
		"tokens:\n  credential:\n    client_secret:\n      value: " + secret + "\n",
		"tokens:\n  credential:\n    client_secret: " + secret + "\n",
		"tokens:\n  credential:\n    client_secret:\n      file:\n        content: " + secret + "\n",
		"pseudonyms:\n  salt: " + secret + "\n",
		"pseudonyms: " + secret + "\n",
		"pseudonyms: [" + secret + "]\n",
		"tokens:\n  client_id: " + secret + "\n  nonsense: 1\n",
		"tokens:\n  nonsense: 1\n  client_id: " + secret + "\n",
		"tokens:\n  client_id: \"" + secret + "\n",
		"tokens:\n  client_id: " + secret + "\n  - x\n",
		"tokens:\n  client_id: " + secret + ": x\n",
	} {
		err := decodeConfig([]byte(text), &Config{})
		if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "[") {
			t.Errorf("%s: error %v, want one that names a line, without the value", text, err)
		}
	}
}

// Tokens of one cloud must not go to the Graph of another.
func TestUpstreamIsOfTheCloudOfTheTokens(t *testing.T) {
	const tokens = "tokens: {tenant: contoso.example, connectors: {x: {}}%s}\n"
	for _, test := range []struct{ tokens, envoy, host, want string }{
		{"", "", "graph.microsoft.com", ""},
		{", cloud: us_dod", "", "dod-graph.microsoft.us", ""},
		{", cloud: us_government", "envoy: {upstream: {host: \"Graph.Microsoft.us:443\"}}", "Graph.Microsoft.us:443", ""},
		{", cloud: china", "envoy: {upstream: {host: graph.microsoft.com}}", "", "tokens are for microsoftgraph.chinacloudapi.cn"},
		{"", "envoy: {upstream: {host: graph.microsoft.us}}", "", "tokens are for graph.microsoft.com"},
		{", cloud: moon", "", "", "must be global"},
	} {
		file := t.TempDir() + "/graphveil.yaml"
		if err := os.WriteFile(file, fmt.Appendf(nil, tokens+"%s", test.tokens, test.envoy), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readConfig(file)
		switch {
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%+v: error %v", test, err)
		case test.want == "" && (err != nil || c.Envoy.Upstream.Host != test.host):
			t.Errorf("%+v: host %q, %v", test, c.Envoy.Upstream.Host, err)
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
	s, err := p.read()
	if links := s.linkKeys(); err != nil || s.codec.Salt != "salt" || s.codec.Key != "secret" || len(links) != 1 {
		t.Errorf("keys from files: %d link keys, %v", len(links), err)
	}
	t.Setenv("GRAPHVEIL_SALT", "pepper")
	if s, err := p.read(); err != nil || s.codec.Salt != "pepper" {
		t.Errorf("the environment does not come first: %v", err)
	}
	p.LinkKeyFiles = []string{write("link", "c2hvcnQ=")}
	if _, err := p.read(); err == nil || strings.Contains(err.Error(), "c2hvcnQ") {
		t.Errorf("short link key: error %v", err)
	}
	for name, p := range map[string]PseudonymConfig{
		"no key":  {SaltFile: p.SaltFile},
		"empty":   {SaltFile: p.SaltFile, KeyFile: write("empty", "\n")},
		"absent":  {SaltFile: p.SaltFile, KeyFile: dir + "/absent"},
		"domains": {SaltFile: p.SaltFile, KeyFile: p.KeyFile, Domains: "hide"},
	} {
		if _, err := p.read(); err == nil {
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
	s, err := p.read()
	shared := s.codec
	if err != nil || shared.DomainSalt+shared.DomainKey+shared.IPSalt+shared.IPKey != "" {
		t.Errorf("%+v, %v", shared, err)
	}
	p.DomainSaltFile, p.DomainKeyFile, p.IPSaltFile, p.IPKeyFile = file("ds"), file("dk"), file("is"), file("ik")
	s, err = p.read()
	own := s.codec
	if got := []string{own.Salt, own.Key, own.DomainSalt, own.DomainKey, own.IPSalt, own.IPKey}; err != nil || !slices.Equal(got, []string{"salt", "key", "ds", "dk", "is", "ik"}) {
		t.Errorf("%q, %v", got, err)
	}
	p.IPKeyFile = folder + "/none"
	if _, err := p.read(); err == nil || !strings.Contains(err.Error(), "pseudonyms.ip_key_file") {
		t.Errorf("a missing file: %v", err)
	}
}

// TestConfigTagIsRefused wants words for what makes the decoder panic.
func TestConfigTagIsRefused(t *testing.T) {
	err := decodeConfig([]byte("tokens: {credential: {command: {argv: !!binary c2VjcmV0}}}"), &Config{})
	if err == nil || !strings.Contains(err.Error(), "leave out tags") {
		t.Errorf("%v", err)
	}
}
