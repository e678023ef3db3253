package operations

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/teststorage"
)

// sample is what Prometheus scraped for two hours, a sample a minute: one series a
// line, with values as in Prometheus' own tests.
type sample struct {
	trouble, healthy string
}

const (
	processor = `job="graphveil",instance="a"`
	proxy     = `job="graphveil-envoy",instance="a"`
	hours     = 120 // minutes
)

// series is a line of a sample; what names labels beside job and instance.
func series(name, more, values string) string {
	own := processor
	if strings.HasPrefix(name, "envoy_") {
		own = proxy
	}
	if more != "" {
		own += "," + more
	}
	return fmt.Sprintf("%s{%s} %s\n", name, own, values)
}

// exchanges are those of a connector: good ones, and bad ones with an outcome and
// a code, each by its growth a minute.
func exchanges(good, bad int, outcome, code string) string {
	return series("graphveil_exchanges_total", `connector="c",endpoint="e",outcome="sanitized",code=""`, fmt.Sprintf("0+%dx120", good)) +
		series("graphveil_exchanges_total", fmt.Sprintf(`connector="c",endpoint="e",outcome=%q,code=%q`, outcome, code), fmt.Sprintf("0+%dx120", bad))
}

// expiry is a time in seconds: minutes after the end of the sample, which began at 0.
func expiry(minutes int) string { return fmt.Sprintf("%dx120", (hours+minutes)*60) }

const (
	day  = 24 * 60
	week = 7 * day
)

// decisions are cumulative buckets where n requests a minute of 100 take longer
// than 64 ms, and not half a second.
func decisions(n int) string {
	bucket := func(le string, growth int) string {
		return series("graphveil_decision_duration_seconds_bucket", `connector="c",le="`+le+`"`, fmt.Sprintf("0+%dx120", growth))
	}
	return bucket("0.064", 100-n) + bucket("0.512", 100) + bucket("+Inf", 100)
}

func graphTimes(slow int) string {
	bucket := func(le string, growth int) string {
		return series("envoy_cluster_upstream_rq_time_bucket", `envoy_cluster_name="graph",le="`+le+`"`, fmt.Sprintf("0+%dx120", growth))
	}
	return bucket("10000", 100-slow) + bucket("30000", 100) + bucket("+Inf", 100)
}

// graphSeries is a counter of Envoy's cluster and the requests that it is a share of.
func graphSeries(name, label string, growth int) string {
	return series(name, `envoy_cluster_name="graph",`+label, fmt.Sprintf("0+%dx120", growth)) +
		series("envoy_cluster_upstream_rq_total", `envoy_cluster_name="graph"`, "0+100x120")
}

// failing is a token that lives for minutes, and failures a minute.
func failing(life, failures int) string {
	return series("graphveil_token_expiry_timestamp_seconds", `connector="c"`, expiry(life)) +
		series("graphveil_token_failures_total", `connector="c",cause="entra_rejected"`, fmt.Sprintf("0+%dx120", failures))
}

// samples has what each alert fires on, and what it is silent on.
var samples = map[string]sample{
	"GraphveilDown":             {series("up", "", "1x115 0x5"), series("up", "", "1x117 0x1 1x2")},
	"GraphveilAbsent":           {series("down", "", "1x120"), series("up", "", "0x120")},
	"GraphveilNotReady":         {series("graphveil_ready", "", "1x110 0x10"), series("graphveil_ready", "", "0x2 1x115 0x3")},
	"GraphveilRestarting":       {series("process_start_time_seconds", "", "1x110 400x3 600x3 800x4"), series("process_start_time_seconds", "", "1x110 400x10")},
	"GraphveilTokenExpiring":    {failing(5, 1), failing(30, 1)},
	"GraphveilTokenUnavailable": {exchanges(100, 1, "denied", "token_unavailable"), exchanges(100, 0, "denied", "token_unavailable")},
	"GraphveilTokenRefreshFailing": {
		series("graphveil_token_failures_total", `connector="c",cause="entra_rejected"`, "0+1x120"),
		series("graphveil_token_failures_total", `connector="c",cause="entra_rejected"`, "0x100 2x20"),
	},
	"GraphveilTokenRejected": {
		series("graphveil_token_rejections_total", `connector="c",kind="plain"`, "0+1x120"),
		series("graphveil_token_rejections_total", `connector="c",kind="plain"`, "0x100 1x20"),
	},
	"GraphveilUnauthorized": {exchanges(100, 5, "refused", "upstream_unauthorized"), exchanges(100, 5, "refused", "upstream_error")},
	"GraphveilSignInCertificateExpiring": {
		series("graphveil_token_certificate_expiry_timestamp_seconds", `connector="c"`, expiry(week)),
		series("graphveil_token_certificate_expiry_timestamp_seconds", `connector="c"`, expiry(3*week)),
	},
	"GraphveilSignInCertificateExpired": {
		series("graphveil_token_certificate_expiry_timestamp_seconds", `connector="c"`, expiry(-5)),
		series("graphveil_token_certificate_expiry_timestamp_seconds", `connector="c"`, expiry(week)),
	},
	"GraphveilPolicyRejected": {
		series("graphveil_policy_reloads_total", `result="rejected"`, "0x110 1x10"),
		series("graphveil_policy_reloads_total", `result="ok"`, "0x110 1x10") + series("graphveil_policy_reloads_total", `result="rejected"`, "1x120"),
	},
	"GraphveilSaltsDiffer": {
		series("graphveil_pseudonyms_info", `salt_id="1",key_id="1"`, "1x100") + series("graphveil_pseudonyms_info", `salt_id="2",key_id="2"`, "_x100 1x20"),
		series("graphveil_pseudonyms_info", `salt_id="1",key_id="1"`, "1x100") + series("graphveil_pseudonyms_info", `salt_id="1",key_id="2"`, "_x100 1x20"),
	},
	"GraphveilKeysRejected": {
		series("graphveil_key_reloads_total", `result="rejected"`, "0x110 1x10"),
		series("graphveil_key_reloads_total", `result="ok"`, "0x110 1x10") + series("graphveil_key_reloads_total", `result="rejected"`, "1x120"),
	},
	"GraphveilDecisionLogsDropped": {
		series("graphveil_decision_log_dropped_total", `cause="queue_full"`, "0x115 3x5"),
		series("graphveil_decision_log_dropped_total", `cause="queue_full"`, "3x120"),
	},
	"GraphveilBundleStale": {
		series("last_success_bundle_request", `name="policy"`, fmt.Sprintf("%dx120", 90*60*int64(1e9))),
		series("last_success_bundle_request", `name="policy"`, fmt.Sprintf("0+%dx120", 60*int64(1e9))),
	},
	"GraphveilMalformedResponses": {exchanges(10_000, 1, "refused", "response_malformed"), exchanges(10_000, 1, "refused", "upstream_error")},
	"GraphveilUnsafeMode": {
		series("graphveil_unsafe_modes_total", `setting="response_body_mode",value="NONE"`, "0x118 1x2"),
		series("graphveil_unsafe_modes_total", `setting="response_body_mode",value="NONE"`, "1x120"),
	},
	"GraphveilRateLimitServiceFailing": {
		series("envoy_cluster_ratelimit_error", `envoy_cluster_name="graph"`, "0+1x120"),
		series("envoy_cluster_ratelimit_error", `envoy_cluster_name="graph"`, "0x100 1x20"),
	},
	"GraphveilCallerKeysUnavailable": {
		series("envoy_http_jwt_authn_jwks_fetch_failed", "", "0+60x120"),
		series("envoy_http_jwt_authn_jwks_fetch_failed", "", "0x100 3x20"),
	},
	"GraphveilEnvoyFilesRejected": {
		series("envoy_sds_key_rotation_failed", `envoy_xds_resource_name="ingress_certificate"`, "0x110 1x10"),
		series("envoy_sds_key_rotation_failed", `envoy_xds_resource_name="ingress_certificate"`, "1x120"),
	},
	"GraphveilUnknownFields":     {fields("unknown", 1), fields("dropped", 50)},
	"GraphveilMistypedFields":    {fields("mistyped", 1), fields("dropped", 50)},
	"GraphveilDenying":           {exchanges(90, 10, "denied", "query_not_allowed"), exchanges(98, 2, "denied", "query_not_allowed")},
	"GraphveilRefusingResponses": {exchanges(90, 10, "refused", "response_malformed"), exchanges(1000, 1, "refused", "response_malformed")},
	"GraphveilInternalError":     {exchanges(100, 1, "denied", "policy_error"), exchanges(100, 1, "denied", "path_not_allowed")},
	"GraphveilAborted":           {exchanges(80, 20, "aborted", ""), exchanges(95, 5, "aborted", "")},
	"GraphveilStalled":           {series("graphveil_stalled_exchanges_total", "", "0+1x120"), series("graphveil_stalled_exchanges_total", "", "0x100 1x20")},
	"GraphveilDecisionsSlow":     {decisions(10), decisions(0)},
	"GraphveilMemoryNearLimit":   {memory(95, 100), memory(95, 1<<40)},
	"GraphveilFilesNearLimit": {
		series("process_open_fds", "", "90x120") + series("process_max_fds", "", "100x120"),
		series("process_open_fds", "", "90x120") + series("process_max_fds", "", "1024x120"),
	},
	"GraphveilEnvoyAbsent": {series("up", "", "1x120"), `up{` + proxy + `} 0x120` + "\n"},
	"GraphveilEnvoyDown": {
		`up{` + proxy + `} 1x115 0x5` + "\n",
		series("up", "", "0x120") + `up{` + proxy + `} 1x120` + "\n",
	},
	"GraphveilProcessorFailing": {exchangesWith(100, 2), exchangesWith(10_000, 60)},
	"GraphveilProcessorUnreachable": {
		series("envoy_cluster_upstream_cx_connect_fail", `envoy_cluster_name="processor"`, "0+1x120"),
		series("envoy_cluster_upstream_cx_connect_fail", `envoy_cluster_name="graph"`, "0+1x120"),
	},
	"GraphveilProcessorTimeouts": {series("envoy_http_ext_proc_message_timeouts", "", "0+1x120"), series("envoy_http_ext_proc_message_timeouts", "", "0x100 1x20")},
	"GraphveilUndecidedRequest":  {series("envoy_http_rbac_denied", "", "0x118 1x2"), series("envoy_http_rbac_denied", "", "1x120")},
	"GraphveilGraphUnreachable": {
		series("envoy_cluster_upstream_cx_connect_fail", `envoy_cluster_name="graph"`, "0+1x120"),
		series("envoy_cluster_upstream_cx_connect_fail", `envoy_cluster_name="processor"`, "0+1x120"),
	},
	"GraphveilGraphFailing": {
		graphSeries("envoy_cluster_upstream_rq_xx", `envoy_response_code_class="5"`, 10),
		graphSeries("envoy_cluster_upstream_rq_xx", `envoy_response_code_class="5"`, 2) + series("envoy_cluster_upstream_rq_xx", `envoy_cluster_name="graph",envoy_response_code_class="4"`, "0+90x120"),
	},
	"GraphveilGraphSlow": {graphTimes(10), graphTimes(1)},
	"GraphveilThrottled": {
		graphSeries("envoy_cluster_upstream_rq", `envoy_response_code="429"`, 10),
		graphSeries("envoy_cluster_upstream_rq", `envoy_response_code="429"`, 2) + series("envoy_cluster_upstream_rq", `envoy_cluster_name="graph",envoy_response_code="404"`, "0+90x120"),
	},
	"GraphveilOverflow": {
		series("envoy_cluster_upstream_rq_pending_overflow", `envoy_cluster_name="graph"`, "0x118 1x2"),
		series("envoy_cluster_upstream_rq_pending_overflow", `envoy_cluster_name="graph"`, "1x120"),
	},
	"GraphveilTLSCertificateExpiring": {
		series("envoy_listener_ssl_certificate_expiration_unix_time_seconds", "", expiry(2*day)),
		series("envoy_listener_ssl_certificate_expiration_unix_time_seconds", "", expiry(10*day)),
	},
	"GraphveilTLSCertificateExpired": {
		series("envoy_listener_ssl_certificate_expiration_unix_time_seconds", "", expiry(-5)),
		series("envoy_listener_ssl_certificate_expiration_unix_time_seconds", "", expiry(day)),
	},
}

// more are series that are not as simple: a counter with labels is not there before it
// counts, and not every request leads to a connector.
var more = []struct {
	alert, what string
	loaded      string
	fires       bool
}{
	{"GraphveilInternalError", "the first one of a process", exchanges(100, 0, "denied", "x") + bad("", "denied", "policy_error", "_x117 1x3"), true},
	{"GraphveilInternalError", "one of long ago", exchanges(100, 0, "denied", "x") + bad("", "denied", "policy_error", "_x10 1x110"), false},
	{"GraphveilUnknownFields", "a page that is read once a day", firstFields("unknown", "_x80 5x40"), true},
	{"GraphveilUnknownFields", "one of long ago", firstFields("unknown", "_x10 5x110"), false},
	{"GraphveilMistypedFields", "a page that is read once a day", firstFields("mistyped", "_x80 5x40"), true},
	{"GraphveilMistypedFields", "one of long ago", firstFields("mistyped", "_x10 5x110"), false},
	{"GraphveilDenying", "a few paths that nobody serves", exchanges(1000, 0, "denied", "x") + bad("", "denied", "path_not_allowed", "0+1x120"), false},
	{"GraphveilDenying", "many paths that nobody serves", exchanges(1000, 0, "denied", "x") + bad("", "denied", "path_not_allowed", "0+100x120"), true},
	{"GraphveilAborted", "a few that led nowhere", exchanges(1000, 0, "denied", "x") + bad("", "aborted", "", "0+1x120"), false},
	{"GraphveilRefusingResponses", "one of a few responses", exchanges(1, 0, "denied", "x") + bad("c", "refused", "upstream_error", "0x108 1x12"), false},
	{"GraphveilRefusingResponses", "few requests, and all of them are refused", bad("c", "refused", "upstream_error", "0x40 1x5 2x5 3x5 4x5 5x5 6x5 7x5 8x5 9x5 10x5 11x5 12x5 13x5 14x5"), true},
	{"GraphveilTokenUnavailable", "one request, before the first token", exchanges(1, 0, "denied", "x") + bad("c", "denied", "token_unavailable", "0x116 1x4"), false},
	{"GraphveilProcessorUnreachable", "one connection, while the processor starts again", series("envoy_cluster_upstream_cx_connect_fail", `envoy_cluster_name="processor"`, "0x116 1x4"), false},
	{"GraphveilProcessorFailing", "few requests, and all of them fail", exchangesWith(1, 1), true},
	{"GraphveilProcessorFailing", "no requests", exchangesWith(0, 0), false},
	{"GraphveilThrottled", "Envoy repeats all that Graph throttles", graphSeries("envoy_cluster_retry_upstream_rq", `envoy_response_code="429"`, 10), true},
	{"GraphveilThrottled", "half of it is repeated", series("envoy_cluster_upstream_rq", `envoy_cluster_name="graph",envoy_response_code="429"`, "0+4x120") +
		graphSeries("envoy_cluster_retry_upstream_rq", `envoy_response_code="429"`, 4), true},
	{"GraphveilThrottled", "Envoy repeats something else", graphSeries("envoy_cluster_retry_upstream_rq", `envoy_response_code="503"`, 10), false},
	{"GraphveilGraphFailing", "Envoy repeats what fails", graphSeries("envoy_cluster_retry_upstream_rq_xx", `envoy_response_code_class="5"`, 10), true},
	{"GraphveilGraphUnreachable", "no address", series("envoy_cluster_upstream_cx_none_healthy", `envoy_cluster_name="graph"`, "0+1x120"), true},
	{"GraphveilGraphUnreachable", "not even the first connection", series("envoy_cluster_upstream_cx_connect_fail", `envoy_cluster_name="graph"`, "0x120"), false},
}

// exchangesWith are Envoy's exchanges with the processor in a minute, and those of them that fail.
func exchangesWith(all, failed int) string {
	return series("envoy_http_ext_proc_streams_started", "", fmt.Sprintf("0+%dx120", all)) + series("envoy_http_ext_proc_streams_failed", "", fmt.Sprintf("0+%dx120", failed))
}

// bad are exchanges of a connector that does not have to be one.
func bad(connector, outcome, code, values string) string {
	return series("graphveil_exchanges_total", fmt.Sprintf(`connector=%q,endpoint="",outcome=%q,code=%q`, connector, outcome, code), values)
}

func firstFields(class, values string) string {
	return series("graphveil_fields_total", fmt.Sprintf(`connector="c",endpoint="e",class=%q`, class), values)
}

func fields(class string, growth int) string {
	return series("graphveil_fields_total", `connector="c",endpoint="e",class="kept"`, "0+100x120") +
		series("graphveil_fields_total", fmt.Sprintf(`connector="c",endpoint="e",class=%q`, class), fmt.Sprintf("0+%dx120", growth))
}

func memory(used, limit int) string {
	return series("go_memstats_sys_bytes", "", fmt.Sprintf("%dx120", used+50)) +
		series("go_memstats_heap_released_bytes", "", "50x120") +
		series("go_gc_gomemlimit_bytes", "", fmt.Sprintf("%dx120", limit))
}

// TestAlertsFire evaluates each alert every minute as Prometheus does, over a
// series that means trouble and over a healthy one.
func TestAlertsFire(t *testing.T) {
	known, all := map[string]bool{}, alerts(t)
	for _, r := range all {
		known[r.Alert] = true
		s, ok := samples[r.Alert]
		if !ok {
			t.Errorf("%s has no sample", r.Alert)
			continue
		}
		t.Run(r.Alert, func(t *testing.T) {
			if !fires(t, r, s.trouble) {
				t.Errorf("silent on\n%s", s.trouble)
			}
			if fires(t, r, s.healthy) {
				t.Errorf("fires on\n%s", s.healthy)
			}
		})
	}
	for _, s := range more {
		i := slices.IndexFunc(all, func(r rulefmt.Rule) bool { return r.Alert == s.alert })
		if i < 0 {
			t.Errorf("there is no alert %s", s.alert)
			continue
		}
		if got := fires(t, all[i], s.loaded); got != s.fires {
			t.Errorf("%s, %s: fires %t on\n%s", s.alert, s.what, got, s.loaded)
		}
	}
	for name := range samples {
		if !known[name] {
			t.Errorf("there is no alert %s", name)
		}
	}
}

// TestAlertsAreAboutOurOwn: a Prometheus that sees other Envoys, a mesh's for one, and other
// programs in Go, has series of the same names. Only those of our jobs count.
func TestAlertsAreAboutOurOwn(t *testing.T) {
	others := strings.NewReplacer(`job="graphveil"`, `job="other"`, `job="graphveil-envoy"`, `job="istio-proxy"`)
	for _, r := range alerts(t) {
		if strings.Contains(r.Expr, "absent(") || strings.Contains(r.Expr, "graphveil_") {
			continue // these names are ours
		}
		if trouble := others.Replace(samples[r.Alert].trouble); fires(t, r, trouble) {
			t.Errorf("%s fires on\n%s", r.Alert, trouble)
		}
	}
}

// store holds a sample, of one minute a line's value.
func store(t *testing.T, loaded string) *teststorage.TestStorage {
	return promqltest.LoadedStorage(t, "load 1m\n  "+strings.ReplaceAll(strings.TrimSpace(loaded), "\n", "\n  ")+"\n")
}

// fires says whether an alert fires at the end of a sample.
func fires(t *testing.T, r rulefmt.Rule, loaded string) bool {
	t.Helper()
	if loaded == "" {
		t.Fatal("an empty sample")
	}
	storage := store(t, loaded)
	defer storage.Close()
	return firesOn(t, r, storage)
}

// firesOn is the same for a sample that is stored.
func firesOn(t *testing.T, r rulefmt.Rule, storage storage.Queryable) bool {
	t.Helper()
	query := rules.EngineQueryFunc(promqltest.NewTestEngine(t, false, 5*time.Minute, 1_000_000), storage)
	expr, err := promql.ParseExpr(r.Expr)
	if err != nil {
		t.Fatal(err)
	}
	rule := rules.NewAlertingRule(r.Alert, expr, time.Duration(r.For), 0, labels.FromMap(r.Labels), labels.FromMap(r.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	for minute := 0; minute <= hours; minute++ {
		if _, err := rule.Eval(t.Context(), 0, time.Unix(int64(minute)*60, 0), query, nil, 0); err != nil {
			t.Fatalf("minute %d: %v", minute, err)
		}
	}
	return slices.ContainsFunc(rule.ActiveAlerts(), func(a *rules.Alert) bool { return a.State == rules.StateFiring })
}
