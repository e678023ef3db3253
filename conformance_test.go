package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/policy"
)

// psoxyVariants are Psoxy's rule files that a shipped connector stands for, and
// the options that do.
var psoxyVariants = map[string]struct {
	connector string
	options   map[string]string
}{
	"entra-id":                          {"entra_id", map[string]string{"ids": "clear"}},
	"entra-id_no-app-ids":               {"entra_id", nil},
	"entra-id_no-app-ids_no-orig":       {"entra_id", map[string]string{"encoding": "json"}},
	"outlook-cal":                       {"outlook_calendar", map[string]string{"ids": "clear"}},
	"outlook-cal_no-app-ids":            {"outlook_calendar", nil},
	"outlook-cal_no-app-ids_no-groups":  {"outlook_calendar", map[string]string{"groups": "off"}},
	"outlook-mail":                      {"outlook_mail", map[string]string{"ids": "clear"}},
	"outlook-mail_no-app-ids":           {"outlook_mail", nil},
	"outlook-mail_no-app-ids_no-groups": {"outlook_mail", map[string]string{"groups": "off"}},
	"msft-copilot":                      {"m365_copilot", map[string]string{"ids": "clear"}},
	"msft-copilot_no-userIds":           {"m365_copilot", nil},
	"msft-onedrive":                     {"onedrive", map[string]string{"ids": "clear"}},
	"msft-onedrive_no-app-ids":          {"onedrive", nil},
	"msft-teams":                        {"teams", map[string]string{"ids": "clear"}},
	"msft-teams_no-userIds":             {"teams", nil},
}

// Whatever leaves here leaves Psoxy too, with the same value; whatever Psoxy
// refuses is refused. The whole path runs: routing, Rego, plans, pseudonyms. What
// Psoxy lets out and we do not, and what it serves and we do not, is listed in the
// connector's README, no more and no less.
func TestNeverLooserThanPsoxy(t *testing.T) {
	policies, gateways := map[string]*policy.Snapshot{}, map[string]*extproc.Gateway{}
	differences := map[string]*difference{}
	for variant, v := range psoxyVariants {
		policies[variant], gateways[variant] = testPolicy(t, v.connector, v.options)
		differences[v.connector] = &difference{missing: map[string]bool{}, refused: map[string]bool{}, served: map[string]bool{}}
	}
	documents := map[string]int{}
	var byToken []tokenDocument
	clear, compared := map[string]any{}, map[string]int{}
	served, refusedByBoth, refusedHere := 0, 0, 0
	for _, d := range readDocuments(t) {
		gateway, ok := gateways[d.Variant]
		if !ok {
			t.Errorf("no connector stands for %s", d.Variant)
			continue
		}
		documents[d.Variant]++
		template := documentTemplate(d.ID)
		differs := differences[psoxyVariants[d.Variant].connector]
		exchange := offlineExchange{Method: d.Method, URL: d.URL, Status: 200, body: d.Original}
		out, result := sanitizeOne(t.Context(), gateway, exchange)
		if d.Psoxy.Allowed && result.outcome == extproc.OutcomeDenied {
			// Psoxy takes plain ids where its rules mean to demand tokens.
			exchange.URL = withTokens(policies[d.Variant], d.URL)
			out, result = sanitizeOne(t.Context(), gateway, exchange)
		}
		switch v := psoxyVariants[d.Variant]; {
		case !d.Psoxy.Allowed && strings.Contains(d.ID, "{") && v.options["ids"] != "clear" && v.options["encoding"] != "json":
			byToken = append(byToken, tokenDocument{d.ID, d.Variant, offlineExchange{
				Method: d.Method, URL: withTokens(policies[d.Variant], d.URL), Status: 200, body: d.Original,
			}})
		case d.Psoxy.Allowed && v.options["ids"] == "clear":
			clear[documentKey(d.Variant, d.ID)] = decodeJSON(t, d.Psoxy.Body)
		}
		switch {
		case result.outcome == extproc.OutcomeRefused:
			t.Errorf("%s: %v", d.ID, result.reasons)
		case result.outcome == extproc.OutcomeSanitized && !d.Psoxy.Allowed:
			t.Errorf("%s: served, but Psoxy refuses it", d.ID)
		case result.outcome == extproc.OutcomeSanitized:
			compared[d.Variant]++
			served++
			differs.served[template] = true
			differs.compare(t, d.ID, "", decodeJSON(t, out), decodeJSON(t, d.Psoxy.Body))
		case d.Psoxy.Allowed:
			refusedHere++
			differs.refused[template] = true
		default:
			refusedByBoth++
		}
	}
	t.Logf("%d documents: %d sanitized and compared, %d refused as by Psoxy, %d refused here only", served+refusedByBoth+refusedHere, served, refusedByBoth, refusedHere)
	statesFigures(t, fmt.Sprintf("%d served, with nothing in them that Psoxy hides or changes; %d refused as by Psoxy, %d refused here only", served, refusedByBoth, refusedHere))
	for variant, n := range compareTokens(t, gateways, byToken, clear) {
		t.Logf("%s: %d more compared by token", variant, n)
		compared[variant] += n
	}
	for variant := range psoxyVariants {
		if documents[variant] == 0 || compared[variant] == 0 {
			t.Errorf("%s: %d documents, %d compared", variant, documents[variant], compared[variant])
		}
	}
	for connector, d := range differences {
		d.checkReadme(t, connector)
	}
}

// documentTemplate is the path of a document without its version, from its id:
// "entra-id:v1.0/users/{userId}:s1v0none".
func documentTemplate(id string) string {
	_, path, _ := strings.Cut(id, ":")
	_, path, _ = strings.Cut(path, "/")
	return "/" + path[:strings.LastIndex(path, ":")]
}

// withTokens replaces the ids in a URL by tokens where the policy wants tokens.
func withTokens(s *policy.Snapshot, url string) string {
	const origin = "https://graph.microsoft.com"
	path, query, hasQuery := strings.Cut(strings.TrimPrefix(url, origin), "?")
	segments := strings.Split(path, "/")
	for _, e := range s.Endpoints() {
		template := strings.Split(e.Path, "/")
		if len(template) != len(segments) {
			continue
		}
		tokens := slices.Clone(segments)
		matches := true
		for i := range template {
			name, isParam := strings.CutPrefix(template[i], "{")
			switch rule := e.Params[strings.TrimSuffix(name, "}")]; {
			case !isParam:
				matches = matches && strings.EqualFold(strings.TrimSuffix(template[i], "()"), segments[i])
			case rule == "reversible" || rule == "tokenize":
				tokens[i] = string(testCodec.AppendReversible(nil, []byte(segments[i])))
			}
		}
		if matches {
			path = strings.Join(tokens, "/")
		}
	}
	if hasQuery {
		path += "?" + query
	}
	return origin + path
}

var testCodec = func() *pseudonym.Codec {
	codec, err := pseudonym.New(pseudonym.Config{Salt: "salt", Key: "secret"})
	if err != nil {
		panic(err)
	}
	return codec
}()

// statesFigures wants policy/README.md to say what a test has counted.
func statesFigures(t *testing.T, words string) {
	t.Helper()
	text, err := os.ReadFile("policy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), words) {
		t.Errorf("policy/README.md does not say %q", words)
	}
}

func testGateway(t *testing.T, connector string, options map[string]string) *extproc.Gateway {
	t.Helper()
	_, g := testPolicy(t, connector, options)
	return g
}

func testPolicy(t *testing.T, connector string, options map[string]string) (*policy.Snapshot, *extproc.Gateway) {
	t.Helper()
	s, err := policy.Load(t.Context(), policy.Config{Settings: options, Connectors: []string{connector}})
	if err != nil {
		t.Fatal(err)
	}
	return s, gatewayOf(t, s)
}

// gatewayOf is the processor's own code with a policy, with the salt and key of
// the conformance data.
func gatewayOf(t *testing.T, s *policy.Snapshot) *extproc.Gateway {
	t.Helper()
	t.Setenv("GRAPHVEIL_SALT", "salt")
	t.Setenv("GRAPHVEIL_KEY", "secret")
	g, err := newGateway(&Config{}, func() *policy.Snapshot { return s })
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func decodeJSON(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
