package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/internal/testlog"
	"github.com/graphveil/graphveil/policy/opa/opatest"
)

// openBundle denies nothing. Its mask takes away whom a decision is about, where the
// directory was asked.
const openBundle = `-- custom.rego --
package graphveil.custom

deny contains "closed_for_today" if {
	data.closed
	input.endpoint.id == "users"
}
-- mask.rego --
package system.log

mask contains "/result/policy" if input.input.endpoint.connector == "entra_id"
-- data.json --
{"closed": false}
`

var closedBundle = strings.Replace(openBundle, `false}`, `true}`, 1)

var bundleRoots = []string{"graphveil/custom", "system/log", "closed"}

const reporting = `status: {service: control}
labels: {region: lab}
decision_logs: {service: control, reporting: {min_delay_seconds: 1, max_delay_seconds: 1}}
`

// TestBundles runs a sidecar whose policy is the shipped connectors and a bundle of
// denials from a server, with status reports and decision logs.
func TestBundles(t *testing.T) {
	l := newLab(t, nil)
	control, key := opatest.Start(t), opatest.NewKey(t)
	set := func(revision, archive string, key *opatest.Key) {
		control.Set("denials", opatest.Bundle(t, revision, archive, key, bundleRoots...))
	}
	l.config.Policy.Paths = []string{"builtin"}
	l.config.Policy.OPAConfig = l.write("opa.yaml", control.Config(key, opatest.BundleSection("denials")+reporting))
	r := &running{logs: &testlog.Buffer{}, access: &testlog.Buffer{}}
	log, err := l.config.Log.logger(r.logs)
	l.check(err)
	r.sidecar = l.startSidecar(log, r)
	r.address = r.current.Load().Address()
	ask := func(protocol, target string) string {
		t.Helper()
		response := call(t, r.address, l.tls(), wireCall{protocol: protocol, target: target})
		return response.String()
	}

	// Before the first bundle nothing is allowed, and it is said why.
	wait(t, "the bundle to be missed", func() bool {
		status, text := get(t, r.adminURL+"/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(text, `not ready: no policy yet: bundle "denials": server replied with Not Found`)
	})
	for _, protocol := range protocols {
		if got := ask(protocol, "/v1.0/users"); got != "503 policy_not_loaded" {
			t.Errorf("%s without a policy: %s", protocol, got)
		}
	}
	set("unsigned", openBundle, nil)
	wait(t, "the unsigned bundle to be refused", func() bool {
		_, text := get(t, r.adminURL+"/readyz")
		return strings.Contains(text, "bundle missing .signatures.json file")
	})
	if got := ask("h2", "/v1.0/users"); got != "503 policy_not_loaded" {
		t.Errorf("with an unsigned bundle: %s", got)
	}
	set("r1", openBundle, key)
	wait(t, "readiness", func() bool { return r.ready() == nil })

	for _, protocol := range protocols {
		for target, want := range map[string]string{
			"/v1.0/users?$top=3&$select=id,mail": "200",
			l.sentPath(0) + "?$top=2":            "200",
			"/v1.0/users?$search=" + saidValue:   "403 query_not_allowed",
			"/v1.0/" + saidValue:                 "403 path_not_allowed",
			l.userPath(1) + "/" + saidValue:      "403 path_not_allowed",
		} {
			if got := ask(protocol, target); got != want {
				t.Errorf("%s %s: %s, want %s", protocol, target, got, want)
			}
		}
	}
	l.replaceUnderLoad(t, r, func() { set("r2", closedBundle, key) })
	if got := ask("h1", "/v1.0/users"); got != "403 denied_by_policy" {
		t.Errorf("after the new revision: %s", got)
	}

	rejected := func() int {
		_, text := get(t, r.adminURL+"/metrics")
		var n int
		_, _ = fmt.Sscanf(linesWith(text, `graphveil_policy_reloads_total{result="rejected"}`), `graphveil_policy_reloads_total{result="rejected"} %d`, &n)
		return n
	}
	for what, bad := range map[string]struct {
		archive, says string
		key           *opatest.Key
	}{
		"another key":       {openBundle, "failed to verify JWT signature", opatest.NewKey(t)},
		"a broken contract": {strings.Replace(openBundle, "input.endpoint.id", "data.graphveil.endpoint", 1), "data.graphveil.endpoint does not exist", key},
	} {
		before := rejected()
		set("bad", bad.archive, bad.key)
		wait(t, what+" to be refused", func() bool { return strings.Contains(control.Status(), bad.says) && rejected() > before })
		if got := ask("h2", "/v1.0/users"); got != "403 denied_by_policy" || r.ready() != nil || !strings.Contains(r.logs.String(), bad.says) {
			t.Errorf("%s: %s, %v", what, got, r.ready())
		}
	}
	if !strings.Contains(control.Status(), `"active_revision":"r2"`) {
		t.Errorf("the status is not of the bundle in force: %.500s", control.Status())
	}

	l.checkDecisions(t, r, control)
}

// replaceUnderLoad replaces the policy while requests run, and one of them is in
// flight: each is decided by one of the two, and that one by the old.
func (l *lab) replaceUnderLoad(t *testing.T, r *running, replace func()) {
	t.Helper()
	started, resume := make(chan struct{}), make(chan struct{})
	l.Graph.Inject(graph.Fault{Header: http.Header{"Content-Type": {"application/json"}}, Body: func(w io.Writer) error {
		close(started)
		<-resume
		_, err := fmt.Fprintf(w, `{"value":[{"id":%q,"accountEnabled":true}]}`, l.Graph.UserID(0))
		return err
	}})
	inFlight := make(chan wireResponse, 1)
	go func() {
		inFlight <- call(t, r.address, l.tls(), wireCall{protocol: "h1", target: "/v1.0/users"})
	}()
	<-started
	var asking sync.WaitGroup
	var denied atomic.Bool
	client := l.client("h2")
	for range 4 {
		asking.Go(func() {
			for !denied.Load() {
				response, err := client.Get("https://" + r.address + "/v1.0/users?$top=1")
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				switch response.StatusCode {
				case http.StatusForbidden:
					denied.Store(true)
				case http.StatusOK:
				default:
					t.Errorf("under load: %d", response.StatusCode)
				}
			}
		})
	}
	replace()
	asking.Wait()
	close(resume)
	if response := <-inFlight; response.String() != "200" || !strings.Contains(string(response.body), `"accountEnabled":true`) {
		t.Errorf("the exchange in flight: %s", &response)
	}
}

// checkDecisions looks through all decisions that arrived: one for each exchange, of
// the right bundle, masked by the author's rule, and without a value.
func (l *lab) checkDecisions(t *testing.T, r *running, control *opatest.Server) {
	t.Helper()
	exchanges := func() int { return strings.Count(r.logs.String(), `"msg":"exchange"`) }
	wait(t, "a decision of each exchange", func() bool { return len(control.Decisions()) >= exchanges() })
	events := control.Decisions()
	if len(events) != exchanges() {
		t.Errorf("%d decisions of %d exchanges", len(events), exchanges())
	}
	seen := map[string]int{}
	ids := map[string]bool{}
	for _, e := range events {
		endpoint, _ := e.Input["endpoint"].(map[string]any)
		request, _ := e.Input["request"].(map[string]any)
		bundle := e.Bundles["denials"].Revision
		seen[fmt.Sprint(bundle, " ", request["method"], " ", endpoint["connector"], " ", endpoint["id"], " ", e.Result["allow"], " ", e.Result["code"])]++
		ids[e.DecisionID] = true
		if _, there := e.Result["policy"]; there == (endpoint["connector"] == "entra_id") || there == (len(e.Erased) == 1) {
			t.Errorf("the author's mask was not applied: %+v", e)
		}
		if e.Path != "graphveil/decision" || e.Labels["region"] != "lab" || e.Timestamp == "" || e.Result["outcome"] == "" {
			t.Errorf("decision %+v", e)
		}
	}
	if len(ids) != len(events) {
		t.Error("ids of decisions are not unique")
	}
	for _, want := range []string{
		" GET   false policy_not_loaded",
		"r1 GET entra_id users true ",
		"r1 GET outlook_mail sent_messages true ",
		"r1 GET entra_id users false query_not_allowed",
		"r1 GET   false path_not_allowed",
		"r2 GET entra_id users false denied_by_policy",
	} {
		if seen[want] == 0 {
			t.Errorf("no decision %q among %v", want, seen)
		}
	}
	_, metrics := get(t, r.adminURL+"/metrics")
	for _, cause := range []string{"queue_full", "buffer_full", "encoding", "mask"} {
		if !strings.Contains(metrics, fmt.Sprintf(`graphveil_decision_log_dropped_total{cause=%q} 0`, cause)) {
			t.Errorf("metrics: %s", linesWith(metrics, "decision_log"))
		}
	}
	_, ready := get(t, r.adminURL+"/readyz")
	for where, text := range map[string]string{"the control plane": control.Received(), "the logs": r.logs.String(), "the metrics": metrics + ready} {
		canaries := append(l.canaries(), saidValue, labSalt, labKey, opatest.Token, "p~", "t~")
		if found := leaks(text, canaries); found != nil {
			t.Errorf("in %s: %.2000v", where, found)
		}
	}
}

// TestBundlesAreChecked: a signed bundle file is verified by the command.
func TestBundlesAreChecked(t *testing.T) {
	folder := t.TempDir()
	key, other := opatest.NewKey(t), opatest.NewKey(t)
	write := func(name string, text []byte) string {
		if err := os.WriteFile(folder+"/"+name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return folder + "/" + name
	}
	const archive = `-- custom.rego --
# METADATA
# title: Denials
# description: Denials of our own.
package graphveil.custom

# METADATA
# title: deny
# description: Nobody may.
deny contains "closed"
`
	signed := write("signed.tar.gz", opatest.Bundle(t, "r1", archive, key))
	unsigned := write("unsigned.tar.gz", opatest.Bundle(t, "r1", archive, nil))
	delta := write("delta.tar.gz", opatest.Delta(t, "r2", "/closed", true))
	public, wrong := write("public.pem", []byte(key.Public)), write("wrong.pem", []byte(other.Public))
	with := func(key string) []string {
		return []string{"--verification-key", key, "--verification-key-id", opatest.KeyID, "--signing-alg", "ES256"}
	}
	for _, test := range []struct {
		name, path string
		flags      []string
		exit       int
		says       string
	}{
		{"signed", signed, with(public), 0, "ok"},
		{"without a key", unsigned, nil, 0, "ok"},
		{"another key", signed, with(wrong), exitFailed, "failed to verify JWT signature"},
		{"no signature", unsigned, with(public), exitFailed, "bundle missing .signatures.json file"},
		{"another id", signed, append(with(public), "--verification-key-id", "other"), 0, "ok"},
		{"another scope", signed, append(with(public), "--scope", "write"), exitFailed, "scope mismatch"},
		{"a delta", delta, nil, exitFailed, "no policy by itself"},
		{"a folder", "builtin", with(public), exitFailed, "only a bundle file has a signature"},
		{"no key file", signed, with(folder + "/none"), exitUsage, "--verification-key"},
	} {
		stdout, stderr, exit := command(t, "", append([]string{"policy", "check", test.path}, test.flags...)...)
		if exit != test.exit || !strings.Contains(stdout+stderr, test.says) {
			t.Errorf("%s: exit %d, want %d: %s%s", test.name, exit, test.exit, stdout, stderr)
		}
	}
}

// TestDeliveredPolicyOffline: commands that fetch no bundles do not show another
// policy instead.
func TestDeliveredPolicyOffline(t *testing.T) {
	config := t.TempDir() + "/graphveil.yaml"
	if err := os.WriteFile(config, []byte("policy: {opa_config: /nowhere/opa.yaml}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, exit := command(t, "", "policy", "list", "--config", config); exit == 0 || !strings.Contains(stderr, "policy_delivered") || !strings.Contains(stderr, "--policy") {
		t.Errorf("exit %d: %s", exit, stderr)
	}
	if stdout, stderr, exit := command(t, "", "policy", "list", "--config", config, "--policy", "builtin"); exit != 0 || !strings.Contains(stdout, "entra_id") {
		t.Errorf("exit %d: %s", exit, stderr)
	}
	for text, says := range map[string]string{
		"services: {control: {url: 'http://127.0.0.1:1'}}\ndecision_logs: {service: control}\n":                                                                                                                              "neither bundles nor discovery",
		"services: {control: {url: 'http://127.0.0.1:1'}}\nkeys: {release: {key: 0123456789abcdef0123456789abcdef, algorithm: HS256}}\ndiscovery: {service: control, resource: config, signing: {keyid: release}}\n":         "use pseudonyms.salt_file", // the command has GRAPHVEIL_SALT
		"services: {control: {url: 'http://127.0.0.1:1'}}\nbundles: {main: {service: control}}\n":                                                                                                                            "bundles.main: the bundle need not be signed",
		"services: {control: {url: 'http://127.0.0.1:1'}}\nkeys: {release: {key: 0123456789abcdef0123456789abcdef, algorithm: HS256}}\nplugins: {other: {}}\nbundles: {main: {service: control, signing: {keyid: release}}}": `plugin "other" not registered`,
	} {
		folder := t.TempDir()
		for name, content := range map[string]string{
			"opa.yaml":       text,
			"graphveil.yaml": "policy: {opa_config: " + folder + "/opa.yaml}\ntokens: {tenant: example.org, credential: {file: {path: /nowhere}}, connectors: {entra_id: {client_id: " + directoryClient + "}}}\n",
		} {
			if err := os.WriteFile(folder+"/"+name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, stderr, exit := command(t, "", "serve", "--config", folder+"/graphveil.yaml"); exit == 0 || !strings.Contains(stderr, says) {
			t.Errorf("exit %d, want %q: %s", exit, says, stderr)
		}
	}
}
