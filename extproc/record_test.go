package extproc_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
)

// TestRecord: a record has ids, counts and places, all of them and nothing else.
func TestRecord(t *testing.T) {
	w := newWorld(t)
	w.upstream.body = `{"@odata.nextLink":"https://` + upstream + `/v1.0/things?$skiptoken=CANARY","value":[` +
		`{"id":"CANARY1","owner":null,"size":1,"secret":"CANARY"},` +
		`{"id":true,"owner":"CANARY@acme.com","size":{"CANARY":1},"newProperty":"CANARY","CANARY name":1}],"CANARY":1}`
	r := w.get(t, "/v1.0/things?$filter=size%20eq%207777777")
	if r.Status != 200 {
		t.Fatalf("status %d %s", r.Status, r.Body)
	}
	if strings.Contains(w.log.String(), "7777777") {
		t.Errorf("a value of the query in the log: %s", w.log)
	}
	record := w.log.records(t, 1)[0]
	for _, name := range []string{"time", "level", "msg", "revision", "duration_ms"} {
		if record[name] == nil {
			t.Errorf("no %s", name)
		}
		delete(record, name)
	}
	want := `{
		"connector": "things", "endpoint": "list", "outcome": "sanitized", "status": 200, "upstream_status": 200,
		"bytes_in": 0, "bytes_out": 0,
		"kept": {"": 1, "/value": 1, "/value/*": 2, "/value/*/owner": 1, "/value/*/size": 1},
		"dropped": {"/value/*/secret": 1},
		"pseudonymized": {"/@odata.nextLink": 1, "/value/*/id": 1, "/value/*/owner": 1},
		"mistyped": {"/value/*/id": 1, "/value/*/size": 1},
		"unknown": {"/*": 1, "/value/*/newProperty": 1, "/value/*/*": 1}
	}`
	var wanted map[string]any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	wanted["bytes_in"], wanted["bytes_out"] = float64(len(w.upstream.body)), float64(len(r.Body))
	if !reflect.DeepEqual(record, wanted) {
		t.Errorf("got  %v\nwant %v", record, wanted)
	}

	labels := map[string]string{"connector": "things", "endpoint": "list"}
	for class, want := range map[string]float64{"kept": 6, "dropped": 1, "pseudonymized": 3, "mistyped": 2, "unknown": 3} {
		labels["class"] = class
		if got := w.counter(t, "graphveil_fields_total", labels); got != want {
			t.Errorf("%s: counted %v, want %v", class, got, want)
		}
	}
}

// TestRecordOfDenial names what denied, with what reasons.
func TestRecordOfDenial(t *testing.T) {
	for target, want := range map[string]map[string]any{
		"/v1.0/nothing/CANARY": {"code": "path_not_allowed", "connector": "", "endpoint": "", "status": 403.0},
		"/v1.0/things?$expand=secret($select=CANARY)&$top=11": {"code": "query_not_allowed", "connector": "things", "endpoint": "list", "status": 403.0,
			"reasons": []any{"query_not_allowed:$expand", "query_value_not_allowed:$expand", "query_value_not_allowed:$top"}},
		"/v1.0/things?$filter=secret%20eq%20'CANARY'": {"code": "filter_property_not_allowed", "connector": "things", "endpoint": "list", "status": 403.0,
			"reasons": []any{"filter_property_not_allowed:$filter"}},
		"/v1.0/things/CANARY":   {"code": "id_not_pseudonymous", "connector": "things", "endpoint": "thing", "status": 403.0},
		"/v1.0/things?a=1&A=2":  {"code": "target_ambiguous", "connector": "", "endpoint": "", "status": 400.0},
		"/v1.0/things/p~CANARY": {"code": "id_not_pseudonymous", "connector": "things", "endpoint": "thing", "status": 403.0},
		"/v1.0/me/CANARY":       {"code": "me_not_served", "status": 403.0},
	} {
		w := newWorld(t)
		r := w.get(t, target)
		record := w.log.records(t, 1)[0]
		if record["outcome"] != extproc.OutcomeDenied || r.Status != int(want["status"].(float64)) || record["upstream_status"] != 0.0 {
			t.Errorf("%s: %d, record %v", target, r.Status, record)
		}
		for name, value := range want {
			if !reflect.DeepEqual(record[name], value) {
				t.Errorf("%s: %s is %v, want %v", target, name, record[name], value)
			}
		}
		if code(t, r.Body) != want["code"] {
			t.Errorf("%s: the client got %s", target, r.Body)
		}
		if w.upstream.last != nil {
			t.Errorf("%s: the upstream was called", target)
		}
	}
}

// TestMetadata is what Envoy's guard and access log see: ids only, and allow only
// where it is meant.
func TestMetadata(t *testing.T) {
	w := newWorld(t)
	if got, want := w.get(t, "/v1.0/things").Metadata, map[string]string{"decision": "allow", "connector": "things", "endpoint": "list", "code": ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := w.get(t, "/v1.0/things?$expand=CANARY").Metadata, map[string]string{"decision": "deny", "connector": "things", "endpoint": "list", "code": "query_not_allowed"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestRequestBody: the processor never sees request bodies, so it refuses
// requests that have one.
func TestRequestBody(t *testing.T) {
	w := newWorld(t)
	m := getThings()
	m.GetRequestHeaders().EndOfStream = false
	replies, err := w.Play(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	i := replies.Immediate()
	if i == nil || i.GetStatus().GetCode() != 400 || code(t, i.GetBody()) != "body_not_allowed" || len(replies.All) != 1 {
		t.Errorf("got %v", replies.All)
	}
}

// With quotas, a request that is allowed also says whose it takes; one that is denied
// takes none.
func TestMetadataOfQuota(t *testing.T) {
	w := newWorld(t, func(c *extproc.ServerConfig) {
		c.Quotas = map[string]extproc.Quota{"things": {Tenant: "a tenant", Application: "an application"}}
	})
	want := map[string]string{"decision": "allow", "connector": "things", "endpoint": "list", "code": "", "tenant": "a tenant", "application": "an application", "service": "storage"}
	if got := w.get(t, "/v1.0/things").Metadata; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	want = map[string]string{"decision": "deny", "connector": "things", "endpoint": "list", "code": "query_not_allowed"}
	if got := w.get(t, "/v1.0/things?$expand=CANARY").Metadata; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
