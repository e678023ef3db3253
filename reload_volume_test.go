package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestReloadVolume replaces a policy in a ConfigMap volume many times while clients
// ask: each request is answered, by one whole policy. A broken one changes nothing; a
// metric and the log say so, and the processor stays ready, for it has a policy.
func TestReloadVolume(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	// Two files that only go together: a version of one with another of the other
	// would deny everything.
	version := func(n int) map[string]string {
		return map[string]string{
			"a.rego": fmt.Sprintf("package graphveil.custom\n\nfirst := %d\n", n),
			"b.rego": fmt.Sprintf("package graphveil.custom\n\ndeny contains \"halves\" if first != %d\n\ndeny contains \"version_%[1]d\" if input.endpoint.id == \"user\"\n", n),
		}
	}
	v := l.volume("policy", version(1))
	l.config.Policy.Paths = []string{"builtin", v.dir}
	r := l.start()
	reloads := func(result string) string {
		_, text := get(t, r.adminURL+"/metrics")
		line := linesWith(text, `graphveil_policy_reloads_total{result="`+result+`"}`)
		return strings.TrimSpace(line[strings.Index(line, "}")+1:])
	}
	inForce := func(n int) bool {
		response := call(t, r.address, l.tls(), wireCall{protocol: "h2", target: l.userPath(0)})
		if response.String() != "403 denied_by_policy" {
			t.Fatalf("%s", &response)
		}
		return strings.Contains(r.logs.String(), fmt.Sprintf(`"reasons":["version_%d"]`, n))
	}
	traffic := l.startTraffic("https://" + r.address)
	traffic.more(t, "before")
	for n := 2; n <= 4; n++ {
		v.publish(version(n))
		wait(t, "the next version", func() bool { return inForce(n) })
		traffic.check(t, fmt.Sprintf("at version %d", n))
	}
	if got := reloads("ok"); got != "3" {
		t.Errorf("%s reloads", got)
	}

	// One that is replaced before it was read.
	v.publish(version(5))
	v.publish(version(6))
	wait(t, "the last version", func() bool { return inForce(6) })
	traffic.more(t, "after the swaps")

	_, before := get(t, r.adminURL+"/readyz")
	broken := version(7)
	broken["b.rego"] += "\ndeny contains \"x\" if data.graphveil.nowhere\n"
	v.publish(broken)
	wait(t, "the broken policy to be rejected", func() bool { return reloads("rejected") == "1" })
	if status, after := get(t, r.adminURL+"/readyz"); status != http.StatusOK || after != before {
		t.Errorf("after a broken policy: %d %s, before %s", status, after, before)
	}
	if log := linesWith(r.logs.String(), "policy not reloaded, the old one stays in force"); !strings.Contains(log, "data.graphveil.nowhere does not exist") || !strings.Contains(log, "/b.rego") {
		t.Errorf("the log says %s", log)
	}
	traffic.more(t, "with a broken policy")
	v.publish(version(8))
	wait(t, "a good policy after a broken one", func() bool { return inForce(8) })
	traffic.more(t, "at the end")
	traffic.stopping.Store(true)
	traffic.running.Wait()
	traffic.check(t, "at the end")
}
