package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/internal/testlog"
)

// What a client says that is nobody else's business. The words are also in the
// query and the path.
const (
	saidToken = "SAIDtokenOfTheClient"
	saidValue = "SAIDvalueOfTheQuery"
	// saidClaims is what Graph says that a token must be asked for with.
	saidClaims = `{"access_token":{"nbf":{"essential":true,"value":"1604106651"}},"SAIDclaims":null}`
)

// TestSecretsStayInside runs the sidecar as its own process at the most talkative
// level, with traces and a shared quota, and drives it through successes and failures
// of all kinds. Then it looks through everything that came out, and through what Envoy
// could be asked, for all that was secret.
func TestSecretsStayInside(t *testing.T) {
	l := newLab(t, nil)
	access := &testlog.Buffer{}
	sent, collector := startCollector(t)
	l.config.Tracing = TracingConfig{Endpoint: collector, Sampling: 1}
	limits, service := startLimiter(t)
	l.config.Envoy.RateLimit.Service = service
	c := l.launchCommand("run", func(c *child) {
		c.Stdout = access
		// The last is no list of headers, which the library that reads it would print.
		c.Env = append(c.Env, "GRAPHVEIL_SALT="+labSalt, "GRAPHVEIL_KEY="+labKey, "OTEL_EXPORTER_OTLP_HEADERS="+saidToken)
	})
	c.find(t, "processor ready")
	address := strings.TrimPrefix(c.find(t, "sidecar listening").URL, "https://")
	admin := c.find(t, "processor listening").Admin
	out := map[string]string{} // what came out, by where

	exchanges := l.provoke(t, address, out)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/", "/debug/pprof/", "/config"} {
		_, text := get(t, admin+path)
		out["the processor's "+path] = text
	}
	if runtime.GOOS == "linux" {
		l.inspectEnvoy(t, c.Process.Pid, out)
		for what, pid := range map[string]int{"the processor": c.Process.Pid, "Envoy": envoyOf(t, c.Process.Pid)} {
			if !leavesNoCore(t, pid) {
				t.Errorf("%s leaves a core when it crashes", what)
			}
		}
	} else {
		t.Log("the environment of Envoy is looked at on Linux only")
	}
	wait(t, "a record of each exchange", func() bool { return strings.Count(c.logs.String(), `"msg":"exchange"`) >= exchanges })
	wait(t, "Envoy to send its spans", func() bool { _, text := sent.all(); return strings.Count(text, `"request"`) >= exchanges/2 })
	l.check(c.Process.Signal(os.Interrupt))
	c.end(t, l)
	out["the logs"], out["the access log"] = c.logs.String(), access.String()
	spans, text := sent.all()
	if len(spans) < 2*exchanges { // of Envoy and of the processor
		t.Errorf("%d spans of %d exchanges", len(spans), exchanges)
	}
	out["the spans"] = text
	// It is told whose quota is taken, by the tenant's id.
	asked := fmt.Sprint(limits.asked())
	if !strings.Contains(asked, "connector=entra_id") {
		t.Errorf("the rate limit service was asked %s", asked)
	}
	out["what the rate limit service was asked"] = strings.ReplaceAll(asked, strings.ToLower(l.ID()), "")

	for what, secret := range l.secrets(t) {
		for where, text := range out {
			if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				t.Errorf("%s is in %s", what, where)
			}
		}
	}
	for where, text := range out {
		if found := leaks(text, l.canaries()); found != nil {
			t.Errorf("in %s: %v", where, found)
		}
		// Clients have these tokens anyway, but to others they tell who was read.
		if !strings.HasPrefix(where, "the response") && strings.Contains(text, "p~") {
			t.Errorf("a pseudonym is in %s", where)
		}
	}
	checkRecords(t, out["the logs"], exchanges)
	checkAccessLog(t, out["the access log"], exchanges)
}

// provoke makes requests with all kinds of ends and returns their number.
func (l *lab) provoke(t *testing.T, address string, out map[string]string) int {
	said := [][2]string{{"authorization", "Bearer " + saidToken}, {"cookie", "session=" + saidToken}, {"x-api-key", saidToken}}
	sent := l.sentPath(1)
	// One of the two protocols meets a challenge, whose claims go to Entra, the other a 401 without.
	challenge, plain := unauthorized(saidClaims), unauthorized("")
	plain.Header = http.Header{"Www-Authenticate": {`Bearer error="invalid_token", error_description="` + personalMark + `"`}}
	refusals := map[string]*graph.Fault{"h1": &challenge, "h2": &plain}
	requests := []struct {
		target string
		status int
		fault  *graph.Fault
	}{
		{target: "/v1.0/users?$top=5", status: 200},
		{target: sent + "?$top=5&$filter=" + strings.ReplaceAll("changeKey eq '"+saidValue+"'", " ", "%20"), status: 400}, // Graph knows no such filter, and quotes it
		{target: "/v1.0/users?$search=" + saidValue, status: 403},
		{target: "/v1.0/users?" + saidValue + "=1", status: 403},
		{target: "/v1.0/" + saidValue, status: 403},
		{target: "/v1.0/users/" + saidValue, status: 403},
		{target: "/v1.0/users/" + l.Graph.UserID(3), status: 403},
		{target: "/v1.0/users/p~" + strings.Repeat("A", 86), status: 404},
		{target: "/v1.0/users?$skiptoken=" + saidValue, status: 403},
		{target: "/v1.0/users/" + saidValue + "%00", status: 400},
		{target: "/v1.0/users?$filter=" + saidValue + "%20eq", status: 400},
		{target: "/v1.0/users?$top=1", status: 503, fault: &graph.Fault{Status: 401}},
		{target: "/v1.0/users?$top=1", status: 502, fault: &graph.Fault{Status: 200, Body: graph.Text(`{"value":[{"` + personalMark + `":tru`)}},
		{target: "/v1.0/users?$top=1", status: 502, fault: &graph.Fault{Status: 302, Header: http.Header{"Location": {"https://elsewhere.example/" + personalMark}}}},
		{target: "/v1.0/users?$top=1", status: 404, fault: &graph.Fault{Status: 404,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: graph.Text(`{"error":{"code":"itemNotFound","message":"` + personalMark + ` is gone"}}`)}},
		{target: "/v1.0/users?$top=3", status: 200, fault: &graph.Fault{
			Header: http.Header{"X-Secret": {personalMark}, "Set-Cookie": {"a=" + personalMark}}, Trailer: http.Header{"X-Late": {personalMark}}}},
	}
	n := 0
	for _, protocol := range protocols {
		for _, r := range requests {
			if r.fault != nil && r.fault.Status == 401 {
				l.Graph.Inject(*refusals[protocol])
			} else if r.fault != nil {
				l.Graph.Inject(*r.fault)
			}
			response := call(t, address, l.tls(), wireCall{protocol: protocol, target: r.target, fields: said})
			if response.status != r.status || response.end != endComplete {
				t.Errorf("%s %.80s: got %s, want %d", protocol, r.target, &response, r.status)
			}
			n++
			out[fmt.Sprintf("the response %d", n)] = string(response.seen) + string(response.body)
			l.Graph.ClearFaults()
		}
	}
	return n
}

// inspectEnvoy reads what Envoy's process tells others: environment, command
// line, configuration and admin interface.
func (l *lab) inspectEnvoy(t *testing.T, parent int, out map[string]string) {
	t.Helper()
	pid := envoyOf(t, parent)
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	out["Envoy's environment"], out["Envoy's command line"] = read(proc+"/environ"), read(proc+"/cmdline")
	arguments := strings.Split(out["Envoy's command line"], "\x00")
	after := func(flag string) string {
		i := slices.Index(arguments, flag)
		if i < 0 {
			t.Fatalf("Envoy was started without %s", flag)
		}
		return arguments[i+1]
	}
	out["Envoy's configuration"] = read(after("--config-path"))
	socket := read(after("--admin-address-path"))
	for _, path := range []string{"/stats", "/stats/prometheus", "/server_info", "/listeners"} {
		status, text := askSocket(t, socket, http.MethodGet, path)
		if status != http.StatusOK {
			t.Errorf("Envoy answers %s with %d", path, status)
		}
		out["Envoy's "+path] = text
	}
	for _, path := range []string{"/config_dump", "/config_dump?include_eds", "/clusters", "/certs", "/memory", "/runtime", "/init_dump", "/contention", "/hot_restart_version", "/"} {
		if status, _ := askSocket(t, socket, http.MethodGet, path); status != http.StatusForbidden {
			t.Errorf("Envoy answers %s with %d", path, status)
		}
	}
	for _, path := range []string{"/logging?level=trace", "/logging?http=debug", "/quitquitquit", "/runtime_modify?a=b", "/tap", "/cpuprofiler?enable=y"} {
		if status, _ := askSocket(t, socket, http.MethodPost, path); status != http.StatusForbidden {
			t.Errorf("Envoy answers POST %s with %d", path, status)
		}
	}
}

// envoyOf finds the Envoy that a process started.
func envoyOf(t *testing.T, parent int) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// pid (command) state ppid ...; proc_pid_stat(5)
		var pid, ppid int
		head, rest, _ := strings.Cut(string(text), " (")
		rest = rest[max(0, strings.LastIndex(rest, ")")):]
		_, _ = fmt.Sscan(head, &pid)
		if fields := strings.Fields(rest); len(fields) > 2 {
			_, _ = fmt.Sscan(fields[2], &ppid)
		}
		if ppid == parent {
			return pid
		}
	}
	t.Fatal("the sidecar has no Envoy")
	return 0
}

// leavesNoCore says whether the limits of a process forbid cores.
func leavesNoCore(t *testing.T, pid int) bool {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^Max core file size +[01] +[01] `).Match(text)
}

func askSocket(t testing.TB, socket, method, path string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	request, err := http.NewRequest(method, "http://envoy"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// secrets are all texts that may be nowhere, by what they are.
func (l *lab) secrets(t *testing.T) map[string]string {
	secrets := map[string]string{"the salt": labSalt, "the key": labKey, "the client's credential": saidToken, "a value of the client's query": saidValue,
		"a name in Graph's claims": "SAIDclaims", "a value in Graph's claims": "1604106651", "Graph's claims in base64": base64.StdEncoding.EncodeToString([]byte(saidClaims))}
	add := func(what, jwt string) {
		parts := strings.Split(jwt, ".")
		if len(parts) != 3 {
			t.Fatalf("%s is no JWT", what)
		}
		secrets[what+", its claims"], secrets[what+", its signature"] = parts[1], parts[2]
		secrets[what+" in base64"] = base64.StdEncoding.EncodeToString([]byte(jwt))[:200]
	}
	assertion, err := os.ReadFile(l.file("assertion/token"))
	l.check(err)
	add("the assertion", strings.TrimSpace(string(assertion)))
	tokens := map[string]bool{}
	for _, r := range l.Graph.Requests() {
		tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")] = true
		for name, values := range r.Header {
			if strings.Contains(strings.Join(values, " "), saidToken) {
				t.Errorf("Graph received the client's credential in %s", name)
			}
		}
	}
	if len(tokens) != 3 && len(tokens) != 4 { // one for each connector, one after the challenge, maybe one after the 401 without
		t.Errorf("Graph saw %d access tokens", len(tokens))
	}
	for token := range tokens {
		add(fmt.Sprintf("access token %d", len(secrets)), token)
	}
	return secrets
}

// checkRecords: one decision record for each exchange, of ids and counts.
func checkRecords(t *testing.T, logs string, exchanges int) {
	t.Helper()
	words := []string{"time", "level", "msg", "revision", "connector", "endpoint", "outcome", "status", "upstream_status", "bytes_in", "bytes_out",
		"duration_ms", "code", "reasons", "body", "kept", "dropped", "pseudonymized", "mistyped", "unknown"}
	outcomes, kept := map[string]int{}, 0
	for line := range strings.Lines(logs) {
		var record map[string]any
		if json.Unmarshal([]byte(line), &record) != nil || record["msg"] != "exchange" {
			continue
		}
		for name := range record {
			if !slices.Contains(words, name) {
				t.Errorf("a record has %q", name)
			}
		}
		outcome, _ := record["outcome"].(string)
		outcomes[outcome]++
		if record["revision"] == "" || record["revision"] == nil || outcome == "" {
			t.Errorf("an incomplete record: %s", line)
		}
		if outcome == "sanitized" && record["endpoint"] == "users" && record["status"] == 200.0 {
			counts, _ := record["kept"].(map[string]any)
			n, _ := counts["/value/*/officeLocation"].(float64)
			kept += int(n)
			if len(counts) == 0 || record["pseudonymized"] == nil || record["dropped"] == nil {
				t.Errorf("a record of a page without counts: %s", line)
			}
		}
	}
	want := map[string]int{"sanitized": 8, "denied": 18, "refused": 6}
	if !maps.Equal(outcomes, want) {
		t.Errorf("outcomes %v, want %v of %d exchanges", outcomes, want, exchanges)
	}
	if kept != 2*(5+3) { // two protocols, a page of five and one of three
		t.Errorf("officeLocation was kept %d times, say the records", kept)
	}
}

// checkAccessLog: one line for each exchange, without path and query.
func checkAccessLog(t *testing.T, text string, exchanges int) {
	t.Helper()
	words := []string{"time", "request_id", "protocol", "method", "decision", "connector", "endpoint", "code", "status", "details", "flags", "attempts", "bytes", "duration"}
	lines := 0
	for line := range bytes.Lines([]byte(text)) {
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Errorf("a line of the access log: %v", err)
		}
		for name := range fields {
			if !slices.Contains(words, name) {
				t.Errorf("the access log has %q", name)
			}
		}
		if strings.ContainsAny(fmt.Sprint(fields["details"], fields["code"], fields["endpoint"]), "?$/") {
			t.Errorf("a path or query is in the access log: %s", line)
		}
		lines++
	}
	if lines != exchanges {
		t.Errorf("%d lines in the access log, want %d", lines, exchanges)
	}
}

// TestTokenFailuresTellNothing: what Entra says in its errors stays there.
func TestTokenFailuresTellNothing(t *testing.T) {
	l := newLab(t, nil)
	l.Entra.Break(entra.Fault{Status: http.StatusBadRequest,
		Body: `{"error":"invalid_client","error_description":"AADSTS700016: ` + personalMark + `","trace_id":"` + personalMark + `"}`})
	c := l.launchCommand("serve", nil)
	admin := c.find(t, "processor listening").Admin
	wait(t, "the refusal to be seen", func() bool { return strings.Contains(c.logs.String(), "700016") })
	_, ready := get(t, admin+"/readyz")
	_, metrics := get(t, admin+"/metrics")
	assertion, err := os.ReadFile(l.file("assertion/token"))
	l.check(err)
	for where, text := range map[string]string{"the logs": c.logs.String(), "/readyz": ready, "/metrics": metrics} {
		if found := leaks(text, append(l.canaries(), strings.Split(string(assertion), ".")[1])); found != nil {
			t.Errorf("in %s: %v", where, found)
		}
	}
	if !strings.Contains(ready, "700016") {
		t.Errorf("/readyz does not say what is wrong: %s", ready)
	}
}
