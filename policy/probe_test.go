package policy_test

import (
	"maps"
	"slices"
	"testing"
	"time"
)

func TestProbe(t *testing.T) {
	s := mustLoad(t, connector(`endpoints["list"] := {
	"methods": {"GET"},
	"path": "/v1.0/users/{user}/things",
	"params": {"user": shape.user_id},
	"query": {"$top": {"max": 9}, "$filter": {"properties": {"at"}}, "model": {"values": {"A"}}},
	"headers": {"ConsistencyLevel", "Prefer"},
	"probe": {
		"query": {"$filter": "at ge {yesterday}T00:00:00Z and at lt {today}T00:00:00Z"},
		"headers": {"ConsistencyLevel": "eventual"},
	},
	"response": {"value": [{"at": shape.keep}]},
}

endpoints["call"] := {
	"methods": {"GET"},
	"path": "/v1.0/things/{thing}/log(from={from},to={to})",
	"params": {"thing": shape.keep, "from": shape.keep, "to": shape.keep},
	"query": {"$top": {"max": 50}},
	"probe": {"params": {"from": "{yesterday}", "to": "{today}"}, "query": {"$top": "5"}},
	"response": {"value": [{"at": shape.keep}]},
}

endpoints["plain"] := {"methods": {"GET"}, "path": "/v1.0/plain", "response": {"at": shape.keep}}

endpoints["write"] := {"methods": {"POST"}, "path": "/v1.0/write", "response": {"at": shape.keep}}
`))
	// Elsewhere it is the 1st of March already.
	now := time.Date(2028, time.March, 1, 0, 30, 0, 0, time.FixedZone("", 3600))
	for i, test := range []struct {
		params  []string
		given   map[string]string
		target  string
		headers map[string]string
	}{
		{[]string{"thing"}, map[string]string{"thing": "a/b?{to}", "from": "ignored"}, "/v1.0/things/a%2Fb%3F%7Bto%7D/log(from=2028-02-28,to=2028-02-29)?$top=5", nil},
		{[]string{"user"}, map[string]string{"user": "19:x@thread.v2"}, "/v1.0/users/19:x@thread.v2/things?$filter=at%20ge%202028-02-28T00%3A00%3A00Z%20and%20at%20lt%202028-02-29T00%3A00%3A00Z&$top=1", map[string]string{"ConsistencyLevel": "eventual"}},
		{nil, nil, "/v1.0/plain", nil},
	} {
		e := s.Endpoints()[i]
		if got := e.ProbeParams(); !slices.Equal(got, test.params) {
			t.Errorf("%s: parameters %v, want %v", e.ID, got, test.params)
		}
		p, err := e.Probe(test.given, now)
		if err != nil || p.Target != test.target || !maps.Equal(p.Headers, test.headers) {
			t.Errorf("%s: %+v, %v; want %s %v", e.ID, p, err, test.target, test.headers)
		}
	}
	if p, err := s.Endpoints()[0].Probe(nil, now); err == nil {
		t.Errorf("a probe without a value: %+v", p)
	}
	if p, err := s.Endpoints()[3].Probe(nil, now); err == nil {
		t.Errorf("a probe without GET: %+v", p)
	}
}
