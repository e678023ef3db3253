package pseudonym

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// vector is one line of the conformance data: a rules document, an input and what Psoxy made of it.
type vector struct {
	ID, Salt, Key, Canonicalization, Domains string

	Rules struct {
		Endpoints []struct {
			Transforms     []json.RawMessage
			ResponseSchema json.RawMessage
		}
	}
	Input, Output string
	Error         bool
}

type transform struct {
	Method            string
	JSONPaths         []string `json:"jsonPaths"`
	Encoding          string
	IncludeOriginal   bool
	IncludeReversible bool
	Regex             *string
	ApplyOnlyWhen     *string
}

// Vectors in which one transform pseudonymizes or tokenizes the string or number at $.v are decided by this package
// (blank values only by Blank). So are lists of addresses and
// IP addresses. There are 180 such vectors; fewer means that the data or this filter broke.
func TestConformanceVectors(t *testing.T) {
	const floor = 180
	ran := 0
	for _, v := range readVectors(t) {
		tr, ok := v.single(t)
		if !ok {
			continue
		}
		value, ok := v.value(t, tr)
		if !ok {
			continue
		}
		ran++
		if tr.Method != "pseudonymize" && tr.Method != "tokenize" {
			t.Run(v.ID, func(t *testing.T) { v.checkList(t, tr, value) })
			continue
		}
		t.Run(v.ID, func(t *testing.T) { v.check(t, tr, value) })
	}
	t.Logf("%d vectors decided by this package", ran)
	if ran < floor {
		t.Errorf("ran %d vectors, want at least %d", ran, floor)
	}
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	shared := filepath.Join(repositoryRoot(t), "..", "shared")
	if _, err := os.Stat(shared); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the folder shared beside the repository is absent; it holds the conformance data")
	}
	data, err := os.ReadFile(filepath.Join(shared, "conformance", "vectors.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	for line := range bytes.Lines(data) {
		var v vector
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		vectors = append(vectors, v)
	}
	return vectors
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// single returns the only transform of v, if it is one that this package decides.
func (v *vector) single(t *testing.T) (transform, bool) {
	var tr transform
	if len(v.Rules.Endpoints) != 1 || len(v.Rules.Endpoints[0].Transforms) != 1 || v.Rules.Endpoints[0].ResponseSchema != nil {
		return tr, false
	}
	if err := json.Unmarshal(v.Rules.Endpoints[0].Transforms[0], &tr); err != nil {
		t.Fatalf("%s: %v", v.ID, err)
	}
	ours := slices.Contains([]string{"pseudonymize", "tokenize", "pseudonymizeEmailHeader", "encryptIp", "hashIp"}, tr.Method)
	return tr, ours && tr.Regex == nil && tr.ApplyOnlyWhen == nil && len(tr.JSONPaths) == 1 && tr.JSONPaths[0] == "$.v"
}

// value returns the text of the value at $.v, if it is one that gets a pseudonym.
func (v *vector) value(t *testing.T, tr transform) (string, bool) {
	var input struct{ V json.RawMessage }
	if err := json.Unmarshal([]byte(v.Input), &input); err != nil {
		t.Fatalf("%s: %v", v.ID, err)
	}
	switch raw := string(input.V); {
	case raw[0] == '"':
		var s string
		if err := json.Unmarshal(input.V, &s); err != nil {
			t.Fatalf("%s: %v", v.ID, err)
		}
		return s, true
	case raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'), tr.Method != "pseudonymize": // tokenizing a number gives null
		return "", false
	case strings.ContainsAny(raw, ".eE"):
		f, err := strconv.ParseFloat(raw, 64)
		if err != nil {
			t.Fatalf("%s: %v", v.ID, err)
		}
		return javaDouble(f), true
	case raw == "-0":
		return "0", true
	default:
		return raw, true
	}
}

func (v *vector) check(t *testing.T, tr transform, value string) {
	cfg := Config{Salt: v.Salt, Key: v.Key}
	switch v.Canonicalization {
	case "STRICT":
	case "IGNORE_DOTS":
		cfg.Canonicalization = IgnoreDots
	default:
		t.Fatalf("unknown canonicalization %q", v.Canonicalization)
	}
	domains, ok := map[string]DomainHandling{"PRESERVE": Preserve, "REDACT": Redact, "TOKENIZE": Tokenize, "ENCRYPT": Encrypt}[v.Domains]
	if !ok {
		t.Fatalf("unknown domain handling %q", v.Domains)
	}
	cfg.Domains = domains
	if v.Salt == "" {
		if _, err := New(cfg); !errors.Is(err, ErrNoSalt) || !v.Error {
			t.Fatalf("New without salt: %v, vector fails: %v", err, v.Error)
		}
		return
	}
	// Psoxy hashes without a key where nothing reversible is asked for. We demand a key always; hashes do not depend on it.
	c := codec(t, cfg)

	blank := v.Error || v.Output == `{"v":null}` || v.Output == `{"v":"null"}`
	var output struct{ V string }
	if !v.Error {
		if err := json.Unmarshal([]byte(v.Output), &output); err != nil {
			t.Fatal(err)
		}
	}
	if tr.Method == "tokenize" { // blank values are left alone
		blank = output.V == value
	}
	if got := Blank([]byte(value)); got != blank {
		t.Fatalf("Blank(%q) = %v, Psoxy answers %s (error %v)", value, got, v.Output, v.Error)
	}
	if blank {
		return
	}
	var form func(*Codec, string) string
	switch {
	case tr.Method == "tokenize":
		form = tokenized
	case tr.Encoding == "JSON":
		form = jsonForm(JSONForm{Original: tr.IncludeOriginal, Reversible: tr.IncludeReversible})
	case tr.Encoding == "URL_SAFE_HASH_ONLY":
		form = hashOnly
	case tr.Encoding != "" && tr.Encoding != "URL_SAFE_TOKEN":
		t.Fatalf("unknown encoding %q", tr.Encoding)
	case tr.IncludeReversible:
		form = reversible
	default:
		form = token
	}
	got := form(c, value)
	if got != output.V {
		t.Errorf("%q\n got %s\nwant %s", value, got, output.V)
	}
	if strings.HasPrefix(got, "p~") {
		if back, ok := c.AppendReveal(nil, []byte(got)); !ok || string(back) != value {
			t.Errorf("revealing %s: got %q, %v", got, back, ok)
		}
	}
}

// checkList checks what may fail to be a list or an address, which gives null.
func (v *vector) checkList(t *testing.T, tr transform, value string) {
	c := codec(t, Config{Salt: v.Salt, Key: v.Key})
	var got []byte
	var ok bool
	if tr.Method == "pseudonymizeEmailHeader" {
		got, ok = c.AppendEmailHeader(nil, []byte(value), tr.Encoding == "JSON")
	} else {
		got, ok = c.AppendIP(nil, []byte(value), tr.Method == "encryptIp")
	}
	var output struct{ V *string }
	if err := json.Unmarshal([]byte(v.Output), &output); err != nil {
		t.Fatal(err)
	}
	if ok != (output.V != nil) || ok && string(got) != *output.V {
		t.Errorf("%q\n got %s, %v\nwant %s", value, got, ok, v.Output)
	}
}

// javaDouble is Double.toString for the vectors' numbers, the text that Psoxy hashes.
func javaDouble(f float64) string {
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}
