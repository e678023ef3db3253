package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

var filtered = connector(`endpoints["items"] := {
	"methods": {"GET"},
	"path": "/items",
	"query": {
		"$filter": {"properties": {"size"}, "reversible": {"id", "from/user", "chat"}},
		"$orderby": {"properties": {"size"}},
		"owner": {"reversible": true},
		"kind": {"values": {"a"}},
	},
	"response": {"value": [{
		"id": shape.reversible,
		"chat": shape.tokenize,
		"from": {"user": shape.user_id, "name": shape.email},
		"size": shape.keep,
	}]},
}
`)

// TestDecideTokens: what the response has as tokens can be asked for by tokens, in
// filters and in options, and by nothing else.
func TestDecideTokens(t *testing.T) {
	s := mustLoad(t, filtered)
	other := "p~" + strings.Repeat("Z", 60) + "@example.com"
	reveal := func(token string) (string, bool) {
		if strings.HasPrefix(token, "p~Z") {
			return "o'brien@x.com&$top=9", true
		}
		return "19:a_b", !strings.HasPrefix(token, "p~U")
	}
	const hidden, raw = "filter_property_not_allowed:$filter", "id_not_pseudonymous:$filter"
	for _, test := range []struct {
		query, want string
		reason      string
	}{
		{"$filter=id eq '" + token + "'", "$filter=id%20eq%20'19:a_b'", ""},
		{"FILTER=ID NE '" + token + "'", "$filter=ID%20NE%20'19:a_b'", ""},
		{"$filter=from/user in ('" + token + "','" + other + "') and size gt 5", "$filter=from/user%20in%20('19:a_b','o''brien@x.com%26$top%3D9')%20and%20size%20gt%205", ""},
		{"$filter=not(chat eq '" + token + "') or size eq 'p~x'", "$filter=not(chat%20eq%20'19:a_b')%20or%20size%20eq%20'p~x'", ""},
		{"$filter=size eq 1", "$filter=size%20eq%201", ""},
		{"owner=" + other, "owner=o'brien@x.com%26$top%3D9", ""},

		{"$filter=id eq '48d31887-5fad-4d73-a9f5-3c356e68a038'", "", raw},
		{"$filter=id eq 48d31887-5fad-4d73-a9f5-3c356e68a038", "", raw},
		{"$filter=id eq 'alice@example.com'", "", raw},
		{"$filter=id eq 't~" + token[2:] + "'", "", raw},
		{"$filter=id eq ''", "", raw},
		{"$filter=id ne null", "", raw},
		{"$filter=id eq true", "", raw},
		{"$filter=id in ('" + token + "','x')", "", raw},
		{"$filter=id eq ' " + token + "'", "", raw},
		{"$filter=id eq 'p~" + strings.Repeat("U", 60) + "'", "", "id_not_revealed:$filter"},
		{"$filter=id ge '" + token + "'", "", hidden},
		{"$filter=startswith(id,'" + token + "')", "", hidden},
		{"$filter=startswith(id,'a') or id eq '" + token + "'", "", hidden},
		{"$filter='" + token + "' eq id", "", hidden},
		{"$filter=(id) eq '" + token + "'", "", hidden},
		{"$filter=id eq from/user", "", hidden},
		{"$filter=from/name eq '" + token + "'", "", hidden},
		{"$filter=id/any(x:x eq '" + token + "')", "", hidden},
		{"$orderby=id", "", "filter_property_not_allowed:$orderby"},
		{"owner=alice", "", "id_not_pseudonymous:owner"},
		{"owner=", "", "id_not_pseudonymous:owner"},
		{"owner=p~" + strings.Repeat("U", 60), "", "id_not_revealed:owner"},
	} {
		target := "/items?" + strings.ReplaceAll(test.query, " ", "%20")
		d := decide(t, s, target, policy.Input{Reveal: reveal})
		if test.reason != "" {
			checkDenied(t, test.query, d, test.reason)
			if code, _, _ := strings.Cut(test.reason, ":"); d.Code != code {
				t.Errorf("%s: code %s", test.query, d.Code)
			}
		} else if !d.Allow || d.Query != test.want {
			t.Errorf("%s: %q, query %s, want %s", test.query, d.Reasons, d.Query, test.want)
		}
	}
	checkDenied(t, "nobody reveals", decide(t, s, "/items?owner="+token, policy.Input{}), "id_not_revealed:owner")

	// The upstream's own links hold values.
	sealed := policy.Input{Sealed: true, Reveal: reveal}
	if d := decide(t, s, "/items?$skiptoken=x&$filter=id%20eq%20'alice'&owner=alice", sealed); !d.Allow {
		t.Errorf("sealed: %q", d.Reasons)
	}
	checkDenied(t, "sealed", decide(t, s, "/items?$skiptoken=x&$filter=id%20gt%20'alice'", sealed), hidden)

	// With ids in clear the same policy filters by ids.
	folder := t.TempDir()
	write(t, folder, filtered)
	clear, err := policy.Load(t.Context(), policy.Config{Paths: []string{folder}, Settings: map[string]string{"ids": "clear"}})
	if err != nil {
		t.Fatal(err)
	}
	if d := decide(t, clear, "/items?$filter=from/user%20eq%20'alice'", policy.Input{}); !d.Allow || d.Query != "$filter=from/user%20eq%20'alice'" {
		t.Errorf("ids in clear: %+v", d)
	}
	checkDenied(t, "id is a token still", decide(t, clear, "/items?$filter=id%20eq%20'alice'", policy.Input{}), raw)
}

// TestDecideTokensLate: what is denied is not revealed first, so that no answer
// tells whether a token is genuine.
func TestDecideTokensLate(t *testing.T) {
	s := mustLoad(t, filtered)
	var asked []string
	in := policy.Input{Reveal: func(token string) (string, bool) { asked = append(asked, token); return "x", true }}
	decide(t, s, "/items?owner="+token+"&kind=b", in)
	if len(asked) > 0 {
		t.Errorf("a denied request had %d tokens revealed", len(asked))
	}
	decide(t, s, "/items?owner="+token+"&kind=a", in)
	if !slices.Equal(asked, []string{token}) {
		t.Errorf("revealed %q", asked)
	}
}
