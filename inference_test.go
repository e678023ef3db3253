package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy/plan"
)

// What a response hides can also be asked for: by conditions, by order, by search,
// by guessing addresses. These tests try each way that Microsoft's documents know
// (graph-facts, section 2, "Side channels") at every endpoint of every shipped
// connector; each also shows that the same question about what is not hidden is
// answered, so that no test passes because its requests are refused for another
// reason.

// TestSideChannelFilter bisects a hidden property by conditions: the number of
// results, a next page, the length of the body tell whether one holds.
func TestSideChannelFilter(t *testing.T) {
	g := newGuess(t)
	for _, e := range g.endpoints {
		properties := hidden(e)
		for i, p := range properties {
			g.refused(e, "$filter", fmt.Sprintf("startswith(%s,'CANARY')", p), noFilter...)
			if i%8 != 0 { // the other forms for some are enough
				continue
			}
			for _, form := range []string{
				"%s eq 'CANARY'", "%s ne 'CANARY'", "%s ge 'CANARY'", "%s lt 'CANARY'", "%s in ('CANARY')", "%s eq null", "%s",
				"endswith(%s,'CANARY')", "contains(%s,'CANARY')", "tolower(%s) eq 'CANARY'", "length(%s) gt 5", "'CANARY' eq %s",
				"not(%s eq 'CANARY')", "(%s) eq 'CANARY'", "indexof(%s,'CANARY') ge 0", "substring(%s,1) eq 'CANARY'",
				"id eq 'CANARY' or %s eq 'CANARY'", "createdDateTime ge 2024-01-01 and startswith(%s,'CANARY')",
			} {
				g.refused(e, "$filter", fmt.Sprintf(form, p), noFilter...)
			}
			g.refused(e, "$filter", fmt.Sprintf("startswith(%s,'CANARY')", strings.ToUpper(p)), noFilter...)
		}
		if q, ok := lists(e, "$filter"); ok && len(q.Properties) > 0 {
			g.control(e, "$filter", fmt.Sprintf("startswith(%s,'a') and not(%[1]s eq null)", q.Properties[0]))
		}
	}
	g.done()
}

// TestSideChannelOrder finds the rank of a hidden property, and with $top and $skip
// its value.
func TestSideChannelOrder(t *testing.T) {
	g := newGuess(t)
	for _, e := range g.endpoints {
		for i, p := range hidden(e) {
			g.refused(e, "$orderby", p, noOrder...)
			if i%8 == 0 {
				g.refused(e, "$orderby", p+" desc", noOrder...)
				g.refused(e, "$orderby", "id,"+p, noOrder...)
				g.refused(e, "$orderby", strings.ToUpper(p), noOrder...)
				g.refused(e, "$orderby", "length("+p+")", "query_not_allowed", "query_malformed")
			}
		}
		if q, ok := lists(e, "$orderby"); ok && len(q.Properties) > 0 {
			g.control(e, "$orderby", q.Properties[0]+" desc")
		}
	}
	g.done()
}

// TestSideChannelSearch asks for words in what is hidden: bodies of mail, any
// string of the directory.
func TestSideChannelSearch(t *testing.T) {
	g := newGuess(t)
	for _, e := range g.endpoints {
		for _, value := range []string{`"body:CANARY"`, `"subject:CANARY"`, `"participants:CANARY"`, `"displayName:CANARY"`, "CANARY", `"attachment:CANARY" OR "size>1"`} {
			g.refused(e, "$search", value, noOption...)
			g.refused(e, "search", value, noOption...)
		}
		if _, ok := lists(e, "$top"); ok {
			g.control(e, "$top", "1")
		}
	}
	g.done()
}

// TestSideChannelLambda asks whether any element of a hidden collection is some
// value.
func TestSideChannelLambda(t *testing.T) {
	g := newGuess(t)
	for _, e := range g.endpoints {
		for i, p := range hidden(e) {
			if i%4 == 0 {
				g.refused(e, "$filter", p+"/any(x:x eq 'CANARY')", noFilter...)
			}
		}
		for _, value := range []string{
			"proxyAddresses/any(p:startswith(p,'smtp:CANARY'))", "participants_v2/any(p:p/id eq 'CANARY')",
			"identities/any(c:c/issuerAssignedId eq 'CANARY' and c/issuer eq 'contoso.example')",
			"toRecipients/any(r:r/emailAddress/address eq 'CANARY')", "attendees/all(a:a/status/response eq 'none')", "attachments/any()",
		} {
			g.refused(e, "$filter", value, noFilter...)
		}
		q, ok := lists(e, "$filter")
		if ok && len(q.Properties) > 0 {
			g.control(e, "$filter", q.Properties[0]+" ne null")
		}
		const clear = "groupTypes"
		if !slices.Contains(q.Properties, clear) {
			continue
		}
		// A collection in clear may be asked for, and nothing hidden through it.
		g.control(e, "$filter", clear+"/any(x:x eq 'Unified')")
		for _, p := range hidden(e) {
			values := []string{
				clear + "/any(x:x eq 'Unified' and " + p + " eq 'CANARY')", clear + "/any(x:x eq " + p + ")", clear + "/any(x:" + p + "/any(x:x eq 'CANARY'))",
			}
			if !strings.Contains(p, "/") { // the name of a variable
				values = append(values, clear+"/all("+p+":"+p+" eq 'CANARY')")
			}
			for _, value := range values {
				g.refused(e, "$filter", value, noFilter...)
			}
		}
	}
	g.done()
}

// TestSideChannelDirectAddressing guesses a person: 200 or 404 would confirm an
// address, and the id in the answer would link it to a pseudonym.
func TestSideChannelDirectAddressing(t *testing.T) {
	g := newGuess(t)
	for _, e := range g.endpoints {
		target := path(e)
		if strings.Contains(strings.ToLower(e.Path), "/users/{") && !strings.Contains(target, aliceToken) {
			t.Errorf("%s.%s: a user is not addressed by a token: %s", e.Connector, e.ID, e.Path)
		}
		if !strings.Contains(target, aliceToken) {
			continue
		}
		g.answered++
		if code := g.ask(target); code != "" {
			t.Errorf("%s: %s", target, code)
		}
		for _, id := range []string{
			alice, "alice@contoso.example", "alice%40contoso.example", "alice_gmail.com%23EXT%23@contoso.example", strings.ToUpper(alice),
			"t~" + aliceToken[2:], "me", "delta", "$count", "p~" + alice, "CANARY",
		} {
			for _, spelled := range []string{
				strings.ReplaceAll(target, aliceToken, id),
				strings.ReplaceAll(target, "/"+aliceToken, "('"+strings.ReplaceAll(id, "%40", "@")+"')"),
				strings.ReplaceAll(target, "/"+aliceToken, "(userPrincipalName='"+strings.ReplaceAll(id, "%40", "@")+"')"),
				strings.ReplaceAll(target, "/"+aliceToken, "(id='"+strings.ReplaceAll(id, "%40", "@")+"')"),
			} {
				switch code := g.ask(spelled); {
				case slices.Contains([]string{"id_not_pseudonymous", "id_not_allowed", "path_not_allowed", "beta_not_served"}, code):
				case code == "" && (id == "delta" || id == "$count") && !strings.Contains(spelled, "="):
					// A function of the collection, which is an endpoint of its own.
				default:
					t.Errorf("%s gives %q", spelled, code)
				}
			}
		}
		// A token that was not made here, and one of another domain, tell nothing either.
		flipped := []byte(aliceToken)
		flipped[20] ^= 1
		for _, token := range []string{string(flipped), aliceToken + "@contoso.example", aliceToken[:len(aliceToken)-22]} {
			if code := g.ask(strings.ReplaceAll(target, aliceToken, token)); code != "id_not_revealed" {
				t.Errorf("a token that is none: %q", code)
			}
		}
	}
	g.done()
}

// TestSideChannelDelta selects a hidden property of a delta: an item would come when
// it has changed.
func TestSideChannelDelta(t *testing.T) {
	g := newGuess(t)
	for _, e := range g.endpoints {
		if _, ok := lists(e, "$select"); !ok || !strings.HasSuffix(e.Path, "/delta()") {
			continue
		}
		for _, value := range []string{"*", "unknownSecret", "id,unknownSecret", "passwordProfile"} {
			g.refused(e, "$select", value, "query_value_not_allowed")
		}
		for _, p := range hidden(e) {
			n := nodeAt(e.Plan, p)
			if n == nil || n.Op == plan.Drop && n.Digest == nil {
				g.refused(e, "$select", p, "query_value_not_allowed")
				g.refused(e, "select", "id,"+strings.ToUpper(p), "query_value_not_allowed")
			}
		}
		g.control(e, "$select", "id")
		for _, option := range []string{"$filter", "$orderby", "$expand", "$search"} {
			for _, p := range hidden(e)[:3] {
				if code := g.ask(path(e) + "?" + option + "=" + p); code == "" {
					t.Errorf("%s.%s: %s=%s", e.Connector, e.ID, option, p)
				}
			}
		}
	}
	g.done()
}

// nodeAt is the node of a property of an item, nil if the shape does not name it.
func nodeAt(p *plan.Plan, path string) *plan.Node {
	n := p.Root
	if f := n.Object.Lookup([]byte("value")); f != nil && f.Node.Op == plan.Array {
		n = f.Node
	}
	for _, name := range strings.Split(path, "/") {
		for n != nil && n.Op == plan.Array {
			n = n.Items
		}
		if n == nil || n.Op != plan.Object {
			return &plan.Node{Op: plan.Keep} // below a choice: said elsewhere
		}
		f := n.Object.Lookup([]byte(name))
		if f == nil {
			return nil
		}
		n = f.Node
	}
	return n
}

// TestSideChannelExpand asks inside an expansion, where options nest, and for
// related entities that hold what the item hides.
func TestSideChannelExpand(t *testing.T) {
	g := newGuess(t)
	codes := []string{"query_not_allowed", "query_value_not_allowed", "query_malformed"}
	for _, e := range g.endpoints {
		for _, value := range []string{
			"singleValueExtendedProperties($filter=id eq 'String 0x0037')", "multiValueExtendedProperties($filter=id eq 'StringArray {x} Name y')",
			"singleValueExtendedProperties", "extensions", "extensions($filter=id eq 'CANARY')", "attachments", "microsoft.graph.itemattachment/item",
			"manager($levels=max;$select=displayName)", "memberOf", "transitiveMembers", "directReports($filter=startswith(displayName,'CANARY'))", "*", "members/$ref", "members/$count",
		} {
			g.refused(e, "$expand", value, codes...)
		}
		q, ok := lists(e, "$expand")
		if !ok {
			continue
		}
		for _, p := range q.Properties {
			for _, nested := range []string{
				"$filter=startswith(displayName,'CANARY')", "$filter=id eq 'CANARY'", "filter=id eq 'CANARY'", "$FILTER=id eq 'CANARY'", "$select=id;$filter=id eq 'CANARY'",
				"$orderby=displayName", "$search=CANARY", "$count=true", "$levels=max", "$skip=1", "$apply=aggregate(id)", "$compute=a as b", "$expand=manager($filter=id eq 'CANARY')",
				"$top=1;$orderby=displayName", "$skiptoken=CANARY",
			} {
				g.refused(e, "$expand", p+"("+nested+")", codes...)
			}
			g.refused(e, "$expand", p+"/$ref", codes...)
			g.refused(e, "$expand", p+"/$count", codes...)
			g.control(e, "$expand", p)
		}
	}
	g.done()
}

// TestSideChannelCount counts by a condition: the number alone is the answer.
func TestSideChannelCount(t *testing.T) {
	g := newGuess(t)
	for _, e := range g.endpoints {
		base := path(e)
		for i, p := range hidden(e) {
			if i%8 != 0 {
				continue
			}
			condition := "$filter=startswith(" + p + ",'CANARY')"
			for _, target := range []string{
				base + "?$count=true&" + condition, base + "?" + condition + "&count=true&$top=1&$select=id", base + "?$count=true&$search=CANARY",
				base + "/$count?" + condition, base + "/%24count?" + condition, base + "/$count?$search=CANARY", base + "/$count()?" + condition,
			} {
				if code := g.ask(target); code == "" || code == "policy_error" {
					t.Errorf("%s gives %q", target, code)
				}
			}
		}
		if _, ok := lists(e, "$count"); ok {
			g.control(e, "$count", "true")
		}
	}
	g.done()
}

// TestSideChannelErrors makes the upstream quote the request, and what it found, in
// the messages of an error.
func TestSideChannelErrors(t *testing.T) {
	g := newGuess(t)
	for _, e := range g.endpoints {
		out, result := sanitizeOne(t.Context(), g.gateway, offlineExchange{Method: "GET", URL: path(e), Status: 400, body: []byte(
			`{"error":{"code":"Request_BadRequest","message":"CANARY is no value of 'CANARY'","target":"CANARY","details":[{"code":"x","message":"CANARY","target":"CANARY"}],` +
				`"innerError":{"date":"2024-01-01T00:00:00","request-id":"1","message":"CANARY","innerError":{"message":"CANARY","errorDetail":"CANARY"}},"@error.details":"CANARY"},"CANARY":1}`)})
		if result.outcome != extproc.OutcomeSanitized || !strings.Contains(string(out), `"code":"Request_BadRequest"`) || strings.Contains(string(out), canary) {
			t.Errorf("%s.%s: %s %s", e.Connector, e.ID, result.outcome, out)
		}
	}
}

// TestSideChannelApply computes and groups by what is hidden.
func TestSideChannelApply(t *testing.T) {
	g := newGuess(t)
	for _, e := range g.endpoints {
		for option, value := range map[string]string{
			"$apply":         "groupby((department),aggregate($count as n))",
			"$compute":       "substring(displayName,0,1) as initial",
			"$index":         "1",
			"$levels":        "max",
			"$schemaversion": "2.0",
			"$id":            "CANARY",
			"$format":        "application/json;odata.metadata=full",
			"@p":             "'CANARY'",
		} {
			for _, name := range []string{option, strings.TrimPrefix(option, "$"), strings.ToUpper(option), strings.Replace(option, "$", "%24", 1)} {
				g.refused(e, name, value, noOption...)
			}
		}
		if _, ok := lists(e, "$select"); ok {
			g.control(e, "$select", "id")
		}
	}
	g.done()
}

// TestSideChannelSpelling writes the options as some services take them too:
// without the dollar sign, encoded, in other cases.
func TestSideChannelSpelling(t *testing.T) {
	g := newGuess(t)
	spell := func(name string) []string {
		return []string{
			name, "$" + name, "%24" + name, strings.ToUpper(name), "$" + strings.ToUpper(name), "%24" + strings.ToUpper(name),
			"$" + strings.ToUpper(name[:1]) + name[1:], fmt.Sprintf("$%%%02x%s", name[0], name[1:]), fmt.Sprintf("%%24%s%%%02X", name[:len(name)-1], name[len(name)-1]),
		}
	}
	for _, e := range g.endpoints {
		for option, test := range map[string]struct {
			value string
			codes []string
		}{
			"filter":  {"unknownSecret eq 'CANARY'", noFilter},
			"orderby": {"unknownSecret", noOrder},
			"search":  {"CANARY", noOption},
			"expand":  {"unknownSecret", []string{"query_not_allowed", "query_value_not_allowed"}},
			"apply":   {"aggregate(unknownSecret)", noOption},
		} {
			for _, name := range spell(option) {
				g.refused(e, name, test.value, test.codes...)
			}
			// The second of two may be the one that counts.
			for _, second := range spell(option) {
				target := path(e) + "?$" + option + "=id&" + second + "=" + url.QueryEscape(test.value)
				if code := g.ask(target); code != "target_ambiguous" {
					t.Errorf("%s gives %q", target, code)
				}
			}
		}
		if q, ok := lists(e, "$filter"); ok && len(q.Properties) > 0 {
			for _, name := range spell("filter") {
				g.control(e, name, q.Properties[0]+" ne null")
			}
		}
	}
	g.done()
}

// TestEveryEndpointAnswers is what the tests above rest on: without an option each
// endpoint answers.
func TestEveryEndpointAnswers(t *testing.T) {
	g := newGuess(t)
	for _, e := range g.endpoints {
		if code := g.ask(path(e)); code != "" {
			t.Errorf("%s.%s: %s gives %q", e.Connector, e.ID, path(e), code)
		}
		if e.Plan.Root.Op == plan.Object && len(hidden(e)) < 4 && !e.Plan.Psoxy {
			t.Logf("%s.%s hides nothing that it names", e.Connector, e.ID)
		}
	}
}
