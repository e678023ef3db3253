package policy_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy"
)

// TestCapabilities: no builtin that reaches out is left, and a new one of OPA's is
// looked at before a policy may use it.
func TestCapabilities(t *testing.T) {
	allowed := map[string]bool{}
	for _, b := range policy.Capabilities().Builtins {
		allowed[b.Name] = true
	}
	for _, name := range []string{"http.send", "opa.runtime", "net.lookup_ip_addr", "rand.intn", "uuid.rfc4122", "json.verify_schema", "json.match_schema"} {
		if allowed[name] {
			t.Errorf("a policy may call %s", name)
		}
	}
	if net := policy.Capabilities().AllowNet; net == nil || len(net) > 0 { // nil is every host
		t.Errorf("a policy may ask %q", net)
	}
	known := " time.now_ns io.jwt.decode_verify io.jwt.encode_sign io.jwt.encode_sign_raw "
	removed := 0
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		switch {
		case !allowed[b.Name]:
			removed++
		case b.Nondeterministic && !strings.Contains(known, " "+b.Name+" "):
			t.Errorf("a policy may call %s", b.Name)
		}
	}
	if removed < 7 {
		t.Errorf("%d builtins are removed", removed)
	}
}

// TestPolicyReadsNothing: a policy that would read a file, ask a server or look into
// the environment is refused when it is loaded, before it does.
func TestPolicyReadsNothing(t *testing.T) {
	asked := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	secret := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(secret, []byte(`{"type": "CANARY", "properties": {"canary_property": {"type": "string"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const always = "package graphveil.custom\n\n"
	for name, rego := range map[string]string{
		"match file":      always + `deny contains "x" if not json.match_schema({}, {"$ref": "file://` + secret + `"})[0]`,
		"match string":    always + `deny contains "x" if not json.match_schema("{}", "{\"$ref\": \"file://` + secret + `\"}")[0]`,
		"verify server":   always + `deny contains "x" if json.verify_schema({"$ref": "` + server.URL + `"})[0]`,
		"send":            always + `deny contains "x" if http.send({"method": "GET", "url": "` + server.URL + `"}).status_code == 200`,
		"look up":         always + `deny contains "x" if count(net.lookup_ip_addr("localhost")) > 0`,
		"environment":     always + `deny contains "x" if opa.runtime().env.GRAPHVEIL_KEY`,
		"metadata file":   "package graphveil.custom\n\n# METADATA\n# schemas:\n#   - data.doc: {\"$ref\": \"file://" + secret + "\"}\ndeny contains \"x\" if data.doc.nothing\n-- data.json --\n{\"doc\": {}}\n",
		"metadata server": "package graphveil.custom\n\n# METADATA\n# schemas:\n#   - data.doc: {\"$ref\": \"" + server.URL + "\"}\ndeny contains \"x\" if data.doc.nothing\n-- data.json --\n{\"doc\": {}}\n",
	} {
		folder := t.TempDir()
		write(t, folder, "-- custom.rego --\n"+rego)
		_, err := policy.Load(context.Background(), policy.Config{Paths: []string{policy.Builtin, folder}})
		if err == nil {
			t.Errorf("%s: loaded", name)
			continue
		}
		said, why := err.Error(), "undefined function"
		if strings.HasPrefix(name, "metadata") {
			why = "schema_not_allowed"
		}
		if !strings.Contains(said, why) {
			t.Errorf("%s: refused for something else: %s", name, said)
		}
		if strings.Contains(said, "CANARY") || strings.Contains(said, "canary_property") {
			t.Errorf("%s: the error has the file: %s", name, said)
		}
	}
	if asked {
		t.Error("a server was asked")
	}
}
