package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
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
	"outlook-mail":                      {"outlook_mail", map[string]string{"ids": "clear"}},
	"outlook-mail_no-app-ids":           {"outlook_mail", nil},
	"outlook-mail_no-app-ids_no-groups": {"outlook_mail", map[string]string{"groups": "off"}},
	"msft-onedrive":                     {"onedrive", map[string]string{"ids": "clear"}},
	"msft-onedrive_no-app-ids":          {"onedrive", nil},
}

// Whatever leaves here leaves Psoxy too, with the same value; whatever Psoxy
// refuses is refused. The whole path runs: routing, Rego, plans, pseudonyms. What
// Psoxy lets out and we do not is held against the READMEs in policy/connectors.
func TestNeverLooserThanPsoxy(t *testing.T) {
	file, err := os.Open("../shared/conformance/documents.jsonl")
	if os.IsNotExist(err) {
		t.Skip("../shared is not beside this checkout")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	gateways := map[string]*extproc.Gateway{}
	for variant, v := range psoxyVariants {
		gateways[variant] = testGateway(t, v.connector, v.options)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	documents, sanitized := 0, 0
	for lines.Scan() {
		var d struct {
			ID, Variant, Method, URL string
			Original                 json.RawMessage
			Psoxy                    struct {
				Allowed bool
				Body    json.RawMessage
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		gateway, ok := gateways[d.Variant]
		if !ok {
			continue
		}
		documents++
		out, result := sanitizeOne(t.Context(), gateway, offlineExchange{Method: d.Method, URL: d.URL, Status: 200, body: d.Original})
		switch {
		case result.outcome == extproc.OutcomeRefused:
			t.Errorf("%s: %v", d.ID, result.reasons)
		case result.outcome == extproc.OutcomeSanitized && !d.Psoxy.Allowed:
			t.Errorf("%s: served, but Psoxy refuses it", d.ID)
		case result.outcome == extproc.OutcomeSanitized:
			sanitized++
			looser(t, d.ID, "", decodeJSON(t, out), decodeJSON(t, d.Psoxy.Body))
		}
	}
	if err := lines.Err(); err != nil || documents != 55 || sanitized < 25 {
		t.Errorf("%d documents, %d sanitized, %v", documents, sanitized, err)
	}
}

func testGateway(t *testing.T, connector string, options map[string]string) *extproc.Gateway {
	t.Helper()
	t.Setenv("GRAPHVEIL_SALT", "salt")
	t.Setenv("GRAPHVEIL_KEY", "secret")
	s, err := policy.Load(t.Context(), policy.Config{Settings: options, Connectors: []string{connector}})
	if err != nil {
		t.Fatal(err)
	}
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

// looser reports what is in ours and not, or with another value, in theirs.
// Links are sealed here, so their values differ.
func looser(t *testing.T, id, at string, ours, theirs any) {
	t.Helper()
	switch ours := ours.(type) {
	case map[string]any:
		object, ok := theirs.(map[string]any)
		if !ok {
			t.Errorf("%s: %s is an object here only", id, at)
			return
		}
		for name, value := range ours {
			their, ok := object[name]
			switch {
			case !ok:
				t.Errorf("%s: %s/%s is here only", id, at, name)
			case strings.HasSuffix(name, "Link"):
			default:
				looser(t, id, at+"/"+name, value, their)
			}
		}
	case []any:
		array, ok := theirs.([]any)
		if !ok || len(array) != len(ours) {
			t.Errorf("%s: %s has other elements", id, at)
			return
		}
		for i := range ours {
			looser(t, id, at+"/*", ours[i], array[i])
		}
	default:
		if !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%s: %s has another value", id, at)
		}
	}
}
