package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/policy"
)

// command runs one command line with input and the test's salt and key.
func command(t *testing.T, input string, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	c := graphveil(t, args...)
	c.Env = append(c.Env, "GRAPHVEIL_SALT=salt", "GRAPHVEIL_KEY=secret")
	c.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

const (
	alice      = "48d31887-5fad-4d73-a9f5-3c356e68a038"
	aliceToken = "p~SIoJOpeSgYF7YUPQ28IWZexVuHyN9A80SJXrbfawKpDRcddGnKI4QDKyjQI9KtjJZDb8FZ27UE_toS68FyWz7Y22fnQYLP91SHJGVwQiN3E"
)

func TestSanitizeCommand(t *testing.T) {
	user := `{"id":"` + alice + `","displayName":"Alice CANARY","mail":"alice@acme.com","department":"Procurement","new":{"a":["CANARY"]}}`
	for _, test := range []struct {
		name, input string
		args        []string
		exit        int
		stdout      string
		stderr      []string
	}{
		{"sanitized", user, []string{"--request", "GET /v1.0/users/" + aliceToken}, 0,
			`{"id":"` + aliceToken + `","mail":"t~UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMk@acme.com","department":"Procurement"}`, nil},
		{"absolute URL, ids in clear", user, []string{"--set", "ids=clear", "--request", "GET https://graph.microsoft.com/v1.0/users/" + alice}, 0,
			`{"id":"` + alice + `","mail":"t~UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMk@acme.com","department":"Procurement"}`, nil},
		{"Graph's error, message dropped", `{"error":{"code":"Request_ResourceNotFound","message":"CANARY does not exist"}}`,
			[]string{"--request", "GET /v1.0/users", "--status", "404"}, 0, `{"error":{"code":"Request_ResourceNotFound"}}`, nil},
		{"a plain id", user, []string{"--request", "GET /v1.0/users/" + alice}, 3, "", []string{"denied", "id_not_pseudonymous"}},
		{"an option", user, []string{"--request", "GET /v1.0/users?$search=%22x%22"}, 3, "", []string{"query_not_allowed:$search"}},
		{"/me", user, []string{"--request", "GET /v1.0/me"}, 3, "", []string{"me_not_served", "application token"}},
		{"malformed body", `{"value":[{"id":"` + alice + `","mail":"alice`, []string{"--request", "GET /v1.0/users"}, 4, "", []string{"refused", "/value/0/mail", "json_truncated"}},
		{"duplicate members", `{"value":[],"value":[]}`, []string{"--request", "GET /v1.0/users"}, 4, "", []string{"json_duplicate_key", "byte 12"}},
		{"empty body", "", []string{"--request", "GET /v1.0/users"}, 4, "", []string{"refused"}},
		{"no request", "{}", nil, 2, "", []string{"--request", "hint"}},
		{"unknown flag", "{}", []string{"--reqest", "x"}, 2, "", []string{"unknown flag", "--help"}},
		{"unknown option", "{}", []string{"--set", "idz=clear", "--request", "GET /v1.0/users"}, 2, "", []string{"idz", "ids"}},
		{"unknown policy", "{}", []string{"--policy", "no-such-folder", "--request", "GET /v1.0/users"}, 2, "", []string{"no-such-folder"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, exit := command(t, test.input, append([]string{"sanitize"}, test.args...)...)
			if exit != test.exit || stdout != test.stdout {
				t.Errorf("exit %d, want %d\nstdout %s\nwant   %s\nstderr %s", exit, test.exit, stdout, test.stdout, stderr)
			}
			for _, want := range test.stderr {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr lacks %q: %s", want, stderr)
				}
			}
			if strings.Contains(stdout+stderr, "CANARY") {
				t.Errorf("a value got out: %s%s", stdout, stderr)
			}
		})
	}
}

func TestSanitizeCommandNeedsSecrets(t *testing.T) {
	c := graphveil(t, "sanitize", "--request", "GET /v1.0/users")
	c.Env = append(c.Env, "GRAPHVEIL_SALT=", "GRAPHVEIL_KEY=")
	out, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(out), "GRAPHVEIL_SALT") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestSanitizeLines(t *testing.T) {
	input := `{"id":1,"method":"GET","url":"/v1.0/users","body":{"value":[{"id":"` + alice + `","displayName":"CANARY <b>"}]}}
{"id":"two","method":"POST","url":"/v1.0/users","body":{}}

{"id":null,"method":"GET","url":"/v1.0/users","text":"{\"value\":["}
{"id":4,"method":"GET","url":"/v1.0/users","status":429,"body":{"error":{"code":"TooManyRequests","message":"CANARY"}}}
`
	want := `{"id":1,"outcome":"sanitized","reasons":[],"body":{"value":[{"id":"` + aliceToken + `"}]}}
{"id":"two","outcome":"denied","reasons":["method_not_allowed"]}
{"id":null,"outcome":"refused","reasons":["upstream_truncated",*]}
{"id":4,"outcome":"sanitized","reasons":[],"body":{"error":{"code":"TooManyRequests"}}}
`
	stdout, stderr, exit := command(t, input, "sanitize", "--jsonl")
	if exit != 0 || !likeWildcard(stdout, want) {
		t.Errorf("exit %d\n%s%s\nwant\n%s", exit, stdout, stderr, want)
	}
	stdout, stderr, exit = command(t, `{"method":"GET","url":"/v1.0/users","body":{"value":[]}}`+"\nnonsense CANARY\n", "sanitize", "--jsonl")
	if exit != exitUsage || !strings.Contains(stdout, `"sanitized"`) || !strings.Contains(stderr, "line 2") || strings.Contains(stderr, "CANARY") {
		t.Errorf("a bad line: exit %d\n%s%s", exit, stdout, stderr)
	}
}

// likeWildcard compares with one "*" standing for anything.
func likeWildcard(got, want string) bool {
	before, after, ok := strings.Cut(want, "*")
	return got == want || ok && strings.HasPrefix(got, before) && strings.HasSuffix(got, after)
}

func TestPolicyCommands(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("good/custom.rego", `# METADATA
# title: Custom
# description: Nobody reads mail but reporting.
package graphveil.custom

# METADATA
# title: deny
# description: Mail is for reporting.
deny contains "mail_only_for_reporting" if {
	input.endpoint.connector == "outlook_mail"
	not input.caller.spiffe_id == "spiffe://example.org/reporting"
}
`)
	write("claims/custom.rego", `package graphveil.custom

deny contains "caller_not_the_reader" if not input.caller.jwt.sub == "reader"
`)
	write("typo/custom.rego", "package graphveil.custom\n\nimport data.graphveil.shape\n\nx := shape.kep\n")
	for _, test := range []struct {
		args []string
		exit int
		want []string
	}{
		{[]string{"policy", "list"}, 0, []string{"entra_id", "outlook_mail", "/v1.0/users/{user}", "Mail.ReadBasic.All", "$top at most 999"}},
		{[]string{"policy", "list", "--set", "groups=off"}, 0, []string{"/v1.0/users"}},
		{[]string{"policy", "check", "builtin"}, 0, []string{"ok"}},
		{[]string{"policy", "check", dir + "/good", "builtin"}, 0, []string{"ok"}},
		{[]string{"policy", "check", dir + "/typo", "builtin"}, 1, []string{"custom.rego:5", "shape.kep", "keep"}},
		{[]string{"policy", "test", "builtin"}, 0, []string{"0 failed"}},
		{[]string{"policy", "explain", "--request", "GET /v1.0/users?$top=3"}, 0, []string{"entra_id.users", "allowed", "/value/*/mail", "pseudonym"}},
		{[]string{"policy", "explain", "--request", "GET /v1.0/users?$filter=startswith(displayName,'A')"}, 3, []string{"filter_property_not_allowed:$filter", "decision.rego:"}},
		{[]string{"policy", "explain", "--request", "GET /v1.0/user"}, 3, []string{"path_not_allowed", "near: GET /v1.0/users"}},
		{[]string{"policy", "explain", "--policy", dir + "/good", "--policy", "builtin", "--request", "GET /v1.0/users/" + aliceToken + "/mailFolders/SentItems/messages"}, 3, []string{"mail_only_for_reporting", "custom.rego:"}},
		{[]string{"policy", "explain", "--policy", dir + "/good", "--policy", "builtin", "--caller", "spiffe://example.org/reporting", "--request", "GET /v1.0/users/" + aliceToken + "/mailFolders/SentItems/messages"}, 0, []string{"allowed"}},
		{[]string{"policy", "explain", "--policy", dir + "/claims", "--policy", "builtin", "--claims", `{"sub": "reader"}`, "--request", "GET /v1.0/users"}, 0, []string{"allowed"}},
		{[]string{"policy", "explain", "--policy", dir + "/claims", "--policy", "builtin", "--claims", `{"sub": "other"}`, "--request", "GET /v1.0/users"}, 3, []string{"caller_not_the_reader"}},
		{[]string{"policy", "explain", "--claims", `["reader"]`, "--request", "GET /v1.0/users"}, 2, []string{"--claims"}},
	} {
		stdout, stderr, exit := command(t, "", test.args...)
		if exit != test.exit {
			t.Errorf("%v: exit %d, want %d\n%s%s", test.args, exit, test.exit, stdout, stderr)
		}
		for _, want := range test.want {
			if !strings.Contains(stdout+stderr, want) {
				t.Errorf("%v: lacks %q\n%s%s", test.args, want, stdout, stderr)
			}
		}
	}
	if stdout, _, _ := command(t, "", "policy", "list", "--set", "groups=off"); strings.Contains(stdout, "/v1.0/groups") {
		t.Error("groups=off lists groups")
	}
	stdout, _, _ := command(t, "", "policy", "list", "--json")
	var list struct {
		Connectors []listedConnector `json:"connectors"`
		Endpoints  []listedEndpoint  `json:"endpoints"`
	}
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || len(list.Endpoints) < 10 {
		t.Errorf("policy list --json: %d endpoints, %v", len(list.Endpoints), err)
	}
	for _, c := range list.Connectors {
		if c.Name == "outlook_mail" && (!slices.Contains(c.Permissions, "User.Read.All") || !slices.Equal(c.Setup, []string{policy.SetupExchangeRBAC})) {
			t.Errorf("policy list --json: %+v", c)
		}
	}
	for _, e := range list.Endpoints {
		if e.Connector == "outlook_mail" && e.ID == "message" && !slices.Equal(e.Permissions, []string{"Mail.ReadBasic.All"}) {
			t.Errorf("policy list --json: %s.%s needs %v", e.Connector, e.ID, e.Permissions)
		}
	}
}

func TestEveryCommandTeaches(t *testing.T) {
	commands := 0
	var teaches func(c *cobra.Command)
	teaches = func(c *cobra.Command) {
		commands++
		if c.Short == "" || !c.HasSubCommands() && (c.Long == "" || c.Example == "") {
			t.Errorf("%s: short %q, long %q, example %q", c.CommandPath(), c.Short, c.Long, c.Example)
		}
		for _, below := range c.Commands() {
			teaches(below)
		}
	}
	teaches(newRoot())
	if commands < 18 {
		t.Errorf("%d commands", commands)
	}
	if stdout, stderr, exit := command(t, "", "envoy", "check", "--help"); exit != 0 || !strings.Contains(stdout, "Usage:") || !strings.Contains(stdout, "Examples:") {
		t.Errorf("exit %d\n%s%s", exit, stdout, stderr)
	}
}

func TestEnvoyConfigCommand(t *testing.T) {
	stdout, stderr, exit := command(t, "", "envoy", "config", "--config", "deploy/graphveil.yaml")
	if exit != 0 || !strings.Contains(stdout, "FULL_DUPLEX_STREAMED") || !strings.Contains(stdout, "/run/graphveil/processor.sock") {
		t.Errorf("exit %d\n%s%s", exit, stdout, stderr)
	}
	folder := t.TempDir()
	stdout, _, exit = command(t, "", "envoy", "config", "--config", "deploy/graphveil.yaml", "--secrets", folder)
	for _, secret := range envoySecrets {
		text, err := os.ReadFile(folder + "/" + secret + ".json")
		if exit != 0 || err != nil || !strings.Contains(stdout, folder+"/"+secret+".json") || !strings.Contains(string(text), "/etc/") && !strings.Contains(string(text), "/run/") {
			t.Errorf("envoy config --secrets: exit %d, %s: %v %s", exit, secret, err, text)
		}
	}
	if exit == 0 && strings.Contains(stdout, "tls.crt") {
		t.Error("envoy config --secrets: the certificate is in the bootstrap, too")
	}
	bare := t.TempDir() + "/graphveil.yaml"
	if err := os.WriteFile(bare, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, exit := command(t, "", "envoy", "config", "--config", bare); exit != exitUsage || !strings.Contains(stderr, "below envoy: checking tls.cert_file: is required") {
		t.Errorf("without a certificate: exit %d, %s", exit, stderr)
	}
	if _, stderr, exit := command(t, "", "envoy", "config", "--config", "deploy/graphveil.yaml", "--format", "toml"); exit != exitUsage || !strings.Contains(stderr, "toml") {
		t.Errorf("unknown format: exit %d, %s", exit, stderr)
	}
}

// TestFirstMistakes: what goes wrong first is a mistake of the command line, and is
// told with what to do.
func TestFirstMistakes(t *testing.T) {
	config := t.TempDir() + "/graphveil.yaml"
	if err := os.WriteFile(config, []byte("tokens: {tenant: a tenant, credential: {file: {path: /nowhere}}, connectors: {entra_id: {client_id: "+directoryClient+"}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args string
		exit int
		says string
	}{
		{"serve", exitUsage, "no configuration\nhint: --config"},
		{"run", exitUsage, "no configuration\nhint: --config"},
		{"envoy config", exitUsage, "no configuration\nhint: --config"},
		{"envoy run", exitUsage, "no configuration\nhint: --config"},
		{"envoy chek envoy.yaml", exitUsage, `unknown command "chek" for "graphveil envoy"` + "\nhint: did you mean check?"},
		{"envoy chek --host x envoy.yaml", exitUsage, `unknown command "chek"`},
		{"policy nonsense", exitUsage, "hint: graphveil policy --help"},
		{"policy import other", exitUsage, "unknown command"},
		{"serv", exitFailed, "Did you mean this?\n\tserve"},
		{"serve --config " + config, exitFailed, "hint: it is the Directory (tenant) id"},
	} {
		stdout, stderr, exit := command(t, "", strings.Fields(test.args)...)
		if exit != test.exit || stdout != "" || !strings.Contains(stderr, test.says) {
			t.Errorf("graphveil %s: exit %d\n%s%s", test.args, exit, stdout, stderr)
		}
	}
	for _, group := range []string{"policy", "envoy", "policy import"} {
		if stdout, _, exit := command(t, "", strings.Fields(group)...); exit != 0 || !strings.Contains(stdout, "Available Commands") {
			t.Errorf("graphveil %s: exit %d, %s", group, exit, stdout)
		}
	}
}
