package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/psoxy"
)

// importVector is a line of ../shared/conformance/vectors.jsonl: what Psoxy made
// of an input by a rules document.
type importVector struct {
	ID, Salt, Key, Canonicalization, Domains string
	Rules                                    json.RawMessage
	Input, Output                            string
	Error                                    bool

	// connector and url are where its rules were imported to.
	url string
}

// importException is a vector whose outcome is another one.
type importException struct {
	// name and reason stand in docs/psoxy-import.md too.
	name, reason string
	applies      func(v importVector) bool
	// want tells whether our outcome is the one that the reason promises.
	want func(v importVector, out string, refused bool) bool
}

var importExceptions = []importException{
	{
		"duplicate members", "an object with a member twice is refused: readers disagree about which counts",
		func(v importVector) bool { return hasDuplicates(v.Input) },
		func(_ importVector, _ string, refused bool) bool { return refused },
	},
	{
		"root of another type", "a body whose type is not that of the response schema is refused; Psoxy lets it pass unfiltered",
		func(v importVector) bool { return v.schemaType() != "" && v.schemaType() != rootType(v.Input) },
		func(_ importVector, _ string, refused bool) bool { return refused },
	},
	{
		"members that begin with +", "a response schema filters them like all others; in Psoxy they pass with all below them",
		func(v importVector) bool { return v.schemaType() != "" && plusMember.MatchString(v.Input) },
		func(v importVector, out string, refused bool) bool {
			return !refused && sameWithout(out, v.Output, func(name string) bool { return strings.HasPrefix(name, "+") })
		},
	},
	{
		"page links", "a link of the root is sealed, or dropped where it leads to no endpoint of the connector; Psoxy gives out the API's own",
		func(v importVector) bool { return rootLink.MatchString(v.Input) },
		func(v importVector, out string, refused bool) bool {
			return !refused && sameWithout(out, withoutLinks(v.Output), nil)
		},
	},
	{
		"no salt", "without a salt nothing starts: hashes without one can be guessed",
		func(v importVector) bool { return v.Salt == "" },
		func(_ importVector, _ string, refused bool) bool { return refused },
	},
	{
		"arrays below a filter at any depth", "ids in arrays are pseudonymized; Psoxy leaves them in clear, and from then on those of every other body",
		func(v importVector) bool { return strings.Contains(string(v.Rules), "..[?") },
		func(v importVector, out string, refused bool) bool { return !refused && onlyMoreTokens(out, v.Output) },
	},
}

var (
	plusMember = regexp.MustCompile(`"\+[^"]*"\s*:`)
	rootLink   = regexp.MustCompile(`@odata\.(nextLink|prevLink|deltaLink)`)
)

// Imported rules give the same JSON as Psoxy, byte for byte in what counts: values,
// the spelling of numbers, the order of members. What Psoxy answers with an error
// is refused.
func TestImportIsExact(t *testing.T) {
	vectors := readVectors(t)
	snapshot := importAll(t, vectors)
	gateways := map[string]*extproc.Gateway{}
	for _, v := range vectors {
		if _, made := gateways[v.settings()]; !made {
			gateways[v.settings()] = v.gateway(t, snapshot)
		}
	}
	exact, exceptions := 0, 0
	for _, v := range vectors {
		out, refused := "", true
		if gateway := gateways[v.settings()]; gateway != nil && v.url != "" {
			body, result := sanitizeOne(t.Context(), gateway, offlineExchange{Method: "GET", URL: v.url, Status: 200, body: []byte(v.Input)})
			out, refused = string(body), result.outcome != extproc.OutcomeSanitized
		}
		same := refused == v.Error && (refused || sameJSON(out, v.Output))
		i := slices.IndexFunc(importExceptions, func(e importException) bool { return e.applies(v) && e.want(v, out, refused) })
		switch {
		case same:
			exact++
		case i >= 0:
			exceptions++
			t.Logf("%s: %s", v.ID, importExceptions[i].reason)
		default:
			t.Errorf("%s\n rules %s\n input %s\n   got %s (refused %v)\n  want %s (error %v)", v.ID, v.Rules, v.Input, out, refused, v.Output, v.Error)
		}
	}
	t.Logf("vectors: %d exact, %d exceptions", exact, exceptions)
	statesFigures(t, fmt.Sprintf("%d of the %d conformance vectors exactly", exact, len(vectors)))
	if exact+exceptions != len(vectors) || exact < 380 {
		t.Errorf("vectors: %d exact and %d exceptions of %d", exact, exceptions, len(vectors))
	}
}

// The migration guide names every exception.
func TestImportExceptionsAreDocumented(t *testing.T) {
	guide, err := os.ReadFile("docs/psoxy-import.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(guide)), " ")
	for _, e := range importExceptions {
		if !strings.Contains(text, e.reason) {
			t.Errorf("docs/psoxy-import.md does not say: %s", e.reason)
		}
	}
}

func readVectors(t *testing.T) []importVector {
	t.Helper()
	return readSharedLines[importVector](t, "conformance/vectors.jsonl")
}

var theirPath = regexp.MustCompile(`"pathTemplate":\s*"/t"`)

// importAll imports each rules document as a connector of its own, with a path of
// its own, and loads all of them at once. Vectors whose rules are refused get no
// URL.
func importAll(t *testing.T, vectors []importVector) *policy.Snapshot {
	t.Helper()
	dir := t.TempDir()
	urls := map[string]string{}
	for i := range vectors {
		v := &vectors[i]
		url, imported := urls[string(v.Rules)]
		if !imported {
			name := fmt.Sprintf("v%d", len(urls))
			// The request is GET /t; only the path tells the connectors apart.
			rules := theirPath.ReplaceAllString(string(v.Rules), `"pathTemplate":"/`+name+`"`)
			if rules == string(v.Rules) {
				t.Fatalf("%s: rules for another path: %s", v.ID, v.Rules)
			}
			url = "/" + name
			c, err := psoxy.Import(psoxy.Input{File: v.ID, Text: []byte(rules), Connector: name})
			if err != nil {
				t.Logf("%s: refused: %v", v.ID, err)
				url = ""
			} else if err := writeImported(dir, c, false); err != nil {
				t.Fatal(err)
			}
			urls[string(v.Rules)] = url
		}
		v.url = url
	}
	snapshot, err := policy.Load(t.Context(), policy.Config{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func (v importVector) settings() string {
	return strings.Join([]string{v.Salt, v.Key, v.Canonicalization, v.Domains, fmt.Sprint(v.Error)}, "\x00")
}

// gateway is the processor's own, configured as the vector says. It is nil without
// a salt or a key, as Graphveil does not start then: so it refuses what Psoxy fails
// at. What Psoxy makes without a key are hashes, on which a key has no effect.
func (v importVector) gateway(t *testing.T, snapshot *policy.Snapshot) *extproc.Gateway {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	t.Setenv("GRAPHVEIL_SALT", "")
	t.Setenv("GRAPHVEIL_KEY", "")
	key := v.Key
	if key == "" && !v.Error {
		key = "some key"
	}
	config := &Config{}
	config.setDefaults()
	config.Pseudonyms = PseudonymConfig{
		SaltFile: write("salt", v.Salt), KeyFile: write("key", key),
		Domains: strings.ToLower(v.Domains), Canonicalization: strings.ToLower(v.Canonicalization),
	}
	gateway, err := newGateway(config, func() *policy.Snapshot { return snapshot })
	if err != nil && (v.Salt == "" || key == "") {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return gateway
}

// sameJSON tells whether two sequences of JSON texts hold the same values with
// members in the same order and numbers spelled alike.
func sameJSON(a, b string) bool {
	x, errX := jsonTokens(a)
	y, errY := jsonTokens(b)
	return errX == nil && errY == nil && slices.Equal(x, y)
}

func jsonTokens(text string) ([]string, error) {
	d := jsontext.NewDecoder(bytes.NewReader([]byte(text)))
	var tokens []string
	for {
		token, err := d.ReadToken()
		if err != nil {
			if d.InputOffset() < int64(len(strings.TrimSpace(text))) {
				return nil, err
			}
			return tokens, nil
		}
		tokens = append(tokens, string(token.Kind())+token.String())
	}
}

func hasDuplicates(text string) bool {
	_, err := jsonTokens(text)
	return errors.Is(err, jsontext.ErrDuplicateName)
}

func rootType(text string) string {
	switch kind := jsontext.NewDecoder(strings.NewReader(text)).PeekKind(); kind {
	case '{':
		return "object"
	case '[':
		return "array"
	default:
		return kind.String()
	}
}

// schemaType is the type of the response schema, or "".
func (v importVector) schemaType() string {
	var rules struct {
		Endpoints []struct {
			ResponseSchema struct{ Type string } `json:"responseSchema"`
		}
	}
	if err := json.Unmarshal(v.Rules, &rules); err != nil || len(rules.Endpoints) != 1 {
		return ""
	}
	return rules.Endpoints[0].ResponseSchema.Type
}

// sameWithout compares one JSON text with another without its members of some
// names.
func sameWithout(out, other string, without func(name string) bool) bool {
	var a, b any
	if json.Unmarshal([]byte(out), &a) != nil || json.Unmarshal([]byte(other), &b) != nil {
		return false
	}
	if without != nil {
		b = removed(b, without)
	}
	return reflect.DeepEqual(a, b)
}

// withoutLinks is an object without the links that are members of it.
func withoutLinks(text string) string {
	var root map[string]any
	if json.Unmarshal([]byte(text), &root) != nil {
		return text
	}
	maps.DeleteFunc(root, func(name string, _ any) bool { return rootLink.MatchString(name) })
	rest, err := json.Marshal(root)
	if err != nil {
		return text
	}
	return string(rest)
}

func removed(v any, without func(string) bool) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if without(name) {
				delete(v, name)
			} else {
				v[name] = removed(member, without)
			}
		}
	case []any:
		for i := range v {
			v[i] = removed(v[i], without)
		}
	}
	return v
}

// onlyMoreTokens tells whether out differs from other in strings alone, and there
// has tokens.
func onlyMoreTokens(out, other string) bool {
	a, errA := jsonTokens(out)
	b, errB := jsonTokens(other)
	if errA != nil || errB != nil || len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !strings.HasPrefix(a[i], `"t~`) {
			return false
		}
	}
	return true
}
