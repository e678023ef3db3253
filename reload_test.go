package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/graph"
)

// denyAll is a policy folder's file that denies with a word of its own.
const denyAll = `package graphveil.custom

deny contains "closed_for_today" if input.endpoint.id == "users"
`

// TestReload changes the policy of a running sidecar.
func TestReload(t *testing.T) {
	const open, none = "package graphveil.custom\n", "package graphveil.custom\n\ndeny contains \"x\" if {\n"
	l := newLab(t, nil)
	l.write("policy/custom.rego", open)
	l.config.Policy.Paths = []string{"builtin", l.file("policy")}
	r := l.start()
	ask := func() string {
		response := call(t, r.address, l.tls(), wireCall{protocol: "h2", target: "/v1.0/users?$top=2"})
		return response.String()
	}
	revision := func() string {
		_, text := get(t, r.adminURL+"/readyz")
		return text
	}
	const denied = "403 denied_by_policy"
	if got := ask(); got != "200" {
		t.Fatalf("at first: %s", got)
	}
	first := revision()

	// An exchange in flight is decided by the policy that it began with.
	inFlight := make(chan wireResponse, 1)
	started, resume := make(chan struct{}), make(chan struct{})
	l.Graph.Inject(graph.Fault{Header: map[string][]string{"Content-Type": {"application/json"}}, Body: func(w io.Writer) error {
		close(started)
		<-resume
		_, err := fmt.Fprintf(w, `{"value":[{"id":%q,"accountEnabled":true}]}`, l.Graph.UserID(0))
		return err
	}})
	go func() {
		inFlight <- call(t, r.address, l.tls(), wireCall{protocol: "h1", target: "/v1.0/users"})
	}()
	select {
	case <-started:
	case <-time.After(10 * time.Second):
		t.Fatal("the request did not arrive upstream")
	}

	var times []time.Duration
	change := func(text, want string) {
		t.Helper()
		l.write("policy/custom.rego", text)
		changed := time.Now()
		wait(t, "the changed policy to be in force", func() bool { return ask() == want })
		times = append(times, time.Since(changed))
	}
	change(denyAll, denied)
	if revision() == first {
		t.Error("another policy has the same revision")
	}
	const served = `"outcome":"sanitized"`
	before := strings.Count(r.logs.String(), served)
	close(resume)
	if response := <-inFlight; response.String() != "200" || !strings.Contains(string(response.body), `"accountEnabled":true`) {
		t.Errorf("the exchange in flight: %s %.200s", &response, response.body)
	}
	wait(t, "its record", func() bool { return strings.Count(r.logs.String(), served) > before })
	words := strings.Fields(first)
	records := strings.SplitAfter(linesWith(r.logs.String(), served), "\n")
	if last := records[len(records)-2]; !strings.Contains(last, `"revision":"`+words[len(words)-1]+`"`) {
		t.Errorf("the exchange in flight has another policy in its record: %s", last)
	}

	second := revision()
	l.write("policy/custom.rego", none)
	wait(t, "the bad policy to be rejected", func() bool {
		_, text := get(t, r.adminURL+"/metrics")
		return strings.Contains(text, `graphveil_policy_reloads_total{result="rejected"} 1`)
	})
	if got := ask(); got != denied || revision() != second {
		t.Errorf("after a bad policy: %s, %s", got, revision())
	}
	change(open, "200")
	if revision() != first {
		t.Error("the same policy has another revision")
	}
	if _, text := get(t, r.adminURL+"/metrics"); !strings.Contains(text, `graphveil_policy_reloads_total{result="ok"} 2`) {
		t.Errorf("reloads: %s", linesWith(text, "reloads_total"))
	}

	// The median, for a machine may be busy with something else at times.
	change(denyAll, denied)
	slices.Sort(times)
	if times[1] > time.Second {
		t.Errorf("changes are in force after %v", times)
	}
}

// linesWith are the lines of a text with a word in them.
func linesWith(text, word string) string {
	var found strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			found.WriteString(line)
		}
	}
	return found.String()
}
