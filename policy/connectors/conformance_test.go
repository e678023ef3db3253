package connectors_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// variants are Psoxy's rule files and the options that stand for them.
var variants = map[string]struct {
	connector string
	options   map[string]any
}{
	"entra-id":                          {"entra_id", map[string]any{"ids": "clear"}},
	"entra-id_no-app-ids":               {"entra_id", map[string]any{"ids": "reversible"}},
	"entra-id_no-app-ids_no-orig":       {"entra_id", map[string]any{"ids": "reversible", "encoding": "json"}},
	"outlook-mail":                      {"outlook_mail", map[string]any{"ids": "clear"}},
	"outlook-mail_no-app-ids":           {"outlook_mail", map[string]any{"ids": "reversible"}},
	"outlook-mail_no-app-ids_no-groups": {"outlook_mail", map[string]any{"ids": "reversible", "groups": "off"}},
}

// refused are the paths that Psoxy serves and these connectors do not.
var refused = []string{"/v1.0/users/delta", "/v1.0/groups/delta", "/v1.0/groups/*/members/$ref"}

// document is a line of ../shared/conformance/documents.jsonl.
type document struct {
	ID       string `json:"id"`
	Variant  string `json:"variant"`
	URL      string `json:"url"`
	Original any    `json:"original"`
	Psoxy    struct {
		Allowed bool `json:"allowed"`
		Body    any  `json:"body"`
	} `json:"psoxy"`
}

// TestNeverLooserThanPsoxy sanitizes documents that hold every documented
// property. What Psoxy refuses must be refused; what gets out must get out of
// Psoxy too, with the same value; and what Psoxy lets out and the connector does
// not must be in the list of its README, no more and no less.
func TestNeverLooserThanPsoxy(t *testing.T) {
	lines := bytes.Split(bytes.TrimSpace(readShared(t, "conformance/documents.jsonl")), []byte("\n"))
	codec, err := pseudonym.New(pseudonym.Config{Salt: "salt", Key: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	tighter := map[string]map[string]bool{"entra_id": {}, "outlook_mail": {}}
	bodies := 0
	for _, line := range lines {
		var d document
		decode(t, line, &d)
		variant, ok := variants[d.Variant]
		if !ok {
			continue
		}
		endpoints := evaluate(t, "data.graphveil.connectors."+variant.connector+".endpoints", variant.options).(map[string]any)
		path := strings.TrimPrefix(d.URL, "https://graph.microsoft.com")
		_, endpoint, found := find(t, endpoints, path)
		switch {
		case found && !d.Psoxy.Allowed:
			t.Errorf("%s: served, but Psoxy refuses it", d.ID)
		case !found && d.Psoxy.Allowed && !onList(refused, path):
			t.Errorf("%s: refused, but Psoxy serves it", d.ID)
		case found:
			ours, ok := interpreter{t, codec}.apply(endpoint["response"], d.Original)
			if !ok {
				t.Errorf("%s: nothing is left", d.ID)
				continue
			}
			bodies++
			compare(t, d.ID, tighter[variant.connector], ours, d.Psoxy.Body, "")
		}
	}
	if bodies == 0 {
		t.Fatal("compared no body")
	}
	for connector, names := range tighter {
		listed := readTighter(t, connector)
		for name := range names {
			if !listed[name] {
				t.Errorf("%s/README.md: %s is not listed as tighter than Psoxy", connector, name)
			}
		}
		for name := range listed {
			if !names[name] {
				t.Errorf("%s/README.md: %s is listed as tighter than Psoxy, but is not", connector, name)
			}
		}
	}
}

// compare wants ours within Psoxy's and collects what of Psoxy's is missing.
func compare(t *testing.T, id string, missing map[string]bool, ours, psoxys any, at string) {
	switch ours := ours.(type) {
	case map[string]any:
		theirs, _ := psoxys.(map[string]any)
		for name, value := range ours {
			if _, ok := theirs[name]; !ok {
				t.Errorf("%s: %s.%s is not in Psoxy's output", id, at, name)
				continue
			}
			compare(t, id, missing, value, theirs[name], member(at, name))
		}
		for name := range theirs {
			if _, ok := ours[name]; !ok {
				missing[member(at, name)] = true
			}
		}
	case []any:
		theirs, _ := psoxys.([]any)
		if len(ours) != len(theirs) {
			t.Errorf("%s: %s has %d elements, Psoxy's %d", id, at, len(ours), len(theirs))
			return
		}
		for n := range ours {
			compare(t, id, missing, ours[n], theirs[n], at)
		}
	default:
		if ours == link {
			missing[at] = true
		} else if !reflect.DeepEqual(ours, psoxys) {
			t.Errorf("%s: %s differs from Psoxy's", id, at)
		}
	}
}

var directoryExtension = regexp.MustCompile(`^extension_[0-9a-f]{32}_`)

// member extends the dotted path of a property; the items of a page have the
// same paths as a single item.
func member(at, name string) string {
	if directoryExtension.MatchString(name) {
		name = "extension_*"
	}
	if at == "" || at == "value" {
		return name
	}
	return at + "." + name
}

func onList(patterns []string, path string) bool {
	for _, pattern := range patterns {
		if ok, _ := filepath.Match(pattern, path); ok {
			return true
		}
	}
	return false
}

var tighterRow = regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|")

// readTighter reads the first column of the table under the heading "Tighter
// than Psoxy" of a connector's README.
func readTighter(t *testing.T, connector string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(connector, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Tighter than Psoxy\n")
	if !ok {
		t.Fatalf("%s/README.md has no section on what is tighter than Psoxy", connector)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	names := map[string]bool{}
	for _, row := range tighterRow.FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			names[name[1]] = true
		}
	}
	return names
}
