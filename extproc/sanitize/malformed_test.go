package sanitize

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/graphveil/graphveil/policy/plan"
)

const malformedFolder = "../../testdata/malformed"

// malformedPlan is the plan that index.txt speaks of. The root fits the body, so
// that it is the fault that is found.
func malformedPlan(body []byte) *plan.Plan {
	switch first(body) {
	case '{':
		return newPlan(nObject(fields{
			"a": nKeep(), "p": nHash(), "l": nLink(), "m": nMatch(smtp), "d": nDrop(),
			"b":    nObject(fields{"c": nKeep()}),
			"list": nArray(nObject(fields{"a": nKeep(), "b": nHash()})),
		}))
	case '[':
		return newPlan(nArray(nKeep()))
	}
	return newPlan(nKeep())
}

// droppingPlan drops all that malformedPlan keeps, but for the root itself.
func droppingPlan(body []byte) *plan.Plan {
	switch first(body) {
	case '{':
		return newPlan(nObject(nil))
	case '[':
		return newPlan(nArray(nil))
	}
	if c := first(body); c == 't' || c == 'f' {
		return newPlan(nKeep()) // nothing else takes it
	}
	return newPlan(nHash())
}

// first returns the first byte of a body that is no white space.
func first(body []byte) byte {
	body = bytes.TrimLeft(body, " \t\r\n")
	if len(body) == 0 {
		return 0
	}
	return body[0]
}

type malformed struct {
	file string
	body []byte
	want Error
}

// readMalformed reads the corpus. Every file must be in the index and every
// entry of the index must have a file.
func readMalformed(t testing.TB) []malformed {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(malformedFolder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 120 {
		t.Fatalf("%d files in %s, want the corpus", len(files), malformedFolder)
	}
	left := map[string]bool{}
	for _, f := range files {
		left[filepath.Base(f)] = true
	}
	index, err := os.Open(filepath.Join(malformedFolder, "index.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	var all []malformed
	lines := bufio.NewScanner(index)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		f := strings.Split(lines.Text(), "\t")
		if len(f) != 4 {
			t.Fatalf("index line %q", lines.Text())
		}
		pointer, err := strconv.Unquote(f[2])
		if err != nil {
			t.Fatalf("index line %q: %v", lines.Text(), err)
		}
		offset, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil {
			t.Fatalf("index line %q: %v", lines.Text(), err)
		}
		body, err := os.ReadFile(filepath.Join(malformedFolder, f[0]))
		if err != nil {
			t.Fatal(err)
		}
		if !left[f[0]] {
			t.Fatalf("%s is in the index twice", f[0])
		}
		delete(left, f[0])
		all = append(all, malformed{f[0], body, Error{f[1], pointer, offset}})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for f := range left {
		t.Errorf("%s is not in the index", f)
	}
	return all
}

func TestMalformed(t *testing.T) {
	r := New(Limits{})
	for _, m := range readMalformed(t) {
		t.Run(m.file, func(t *testing.T) {
			p := malformedPlan(m.body)
			d := deliver(t, r, p, m.body)
			if d.err == nil {
				t.Fatalf("passed as %q", d.out)
			}
			if *d.err != m.want {
				t.Errorf("refused with %v, want %v", d.err, &m.want)
			}
			checkSplits(t, r, p, m.body, d)

			// What is dropped is read as strictly.
			p = droppingPlan(m.body)
			d = deliver(t, r, p, m.body)
			stringLimit := m.want.Code == CodeLimit && strings.Contains(m.file, "string")
			switch {
			case stringLimit && d.err != nil:
				t.Errorf("dropped, it is refused with %v", d.err)
			case stringLimit:
			case d.err == nil || d.err.Code != m.want.Code || d.err.Offset != m.want.Offset:
				t.Errorf("dropped, it is refused with %v, want %v", d.err, &m.want)
			}
			checkSplits(t, r, p, m.body, d)

			// So is what is held before it is decided, and what is open.
			for _, root := range []*plan.Node{nSelect("never", nil, malformedPlan(m.body).Root), nIfFound(nDrop(), nil, malformedPlan(m.body).Root), nAny()} {
				p = newPlan(root)
				d = deliver(t, r, p, m.body)
				if (!stringLimit || root.Op == plan.Choose) && (d.err == nil || d.err.Code != m.want.Code || d.err.Offset != m.want.Offset) {
					t.Errorf("held or open, it is refused with %v, want %v", d.err, &m.want)
				}
				checkSplits(t, r, p, m.body, d)
			}
		})
	}
}

// The corpus is what other parsers refuse too, so it is not our reading of the
// RFC alone. encoding/json lets duplicate names and bad UTF-8 pass, jsontext
// refuses those; the limits are ours.
func TestMalformedElsewhere(t *testing.T) {
	for _, m := range readMalformed(t) {
		if m.want.Code == CodeDepth || m.want.Code == CodeLimit {
			if m.file != "depth-arrays-unclosed.json" && !jsontext.Value(m.body).IsValid() {
				t.Errorf("%s: without our limits it should be valid", m.file)
			}
			continue
		}
		if jsontext.Value(m.body).IsValid() {
			t.Errorf("%s: jsontext takes it", m.file)
		}
		lax := m.want.Code == CodeDuplicateKey && m.file != "duplicate-value-missing.json"
		lax = lax || m.want.Code == CodeUTF8 && !utf8.Valid(m.body)
		if json.Valid(m.body) != lax {
			t.Errorf("%s: encoding/json takes it: %v, expected %v", m.file, !lax, lax)
		}
	}
}

// wellFormed must be taken, and kept as it is but for white space.
var wellFormed = []string{
	`{}`, `[]`, `""`, `0`, `-0`, `true`, `false`, `null`, ` {} `, "\t[\r\n]\n", `{"":0}`, `[[]]`, `[{}]`, `{"a":{}}`,
	`-1`, `10`, `1.0`, `-0.0`, `0.5`, `1e1`, `1E1`, `1e+1`, `1e-1`, `1E+01`, `1e00`, `0e0`, `-0e-0`, `123.456e-789`,
	`1234567890123456789012345678901234567890`, `0.` + strings.Repeat("0", 900) + `1`, `1e999999`, `-1e-999999`,
	`[0]`, `[0,0]`, `[-0]`, `[1.5e3 , 2]`, "[1\n]", `[1 ]`, `{"a":1 }`, `{"a":0}`, `{ "a" : -0.0 }`,
	`"a"`, `"\""`, `"\\"`, `"\/"`, `"\b\f\n\r\t"`, `"\u0000"`, `"\u001f"`, `"\u007F"`, `"\uFFFF"`, `"\ufffe"`, `"\uABCD\uabcd\uAbCd"`,
	`"\ud83d\ude00"`, `"\uD83D\uDE00"`, `"\udbff\udfff"`, `"\ud800\udc00"`,
	// Unpaired surrogate escapes: RFC 8259 section 8.2 leaves them open.
	`"\ud800"`, `"\udfff"`, `"\ude00\ud83d"`, `"\ud83d\ud83d"`, `"\ud83d\n"`, `"\ud83dx"`, `{"\ud800":1}`, `["preview ends in \ud83d"]`,
	"\"\u0080\"", "\"\u07ff\"", "\"\u0800\"", "\"\ud7ff\"", "\"\ue000\"", "\"\ufffd\"", "\"\uffff\"", "\"\U00010000\"", "\"\U0010ffff\"",
	"\"\x7f\"", "\"\u2028\u2029\"", "\"\ufeff\"", "\"é日😀é日😀\"", `"12345678é12345678"`, `"1234567\"12345678\\"`, `"//"`, `"/*x*/"`, `"[{,:}]"`, `"tab is \\t"`,
	`{"a":"b","c":"d"}`, `{"a":[],"b":{}}`, `{"a":null,"A":null}`, `{"é":1,"e\u0301":2}`, `{"a":{"a":{"a":1}}}`, `[{"a":1},{"a":1}]`,
	`{"a":[{"b":1},{"b":1}],"b":{"a":1,"b":2}}`, `{"\u0061":1}`, `{"a\u0000b":1,"a":2}`, `{"0":0,"00":0}`, `{"a b":1,"a\tb":2}`, "{\"a b\" : [ 1 , 2 ] }",
	`[null,1,"1",{},[],true,false,-1.5]`, `[[[[[[[[[[]]]]]]]]]]`, `[[],[[]],[[[]]]]`, `["",""]`, `[true,false,null]`, ` [ true , false , null ] `, `"` + strings.Repeat("x", 100_000) + `"`,
	strings.Repeat("[", DefaultDepth) + strings.Repeat("]", DefaultDepth),
	strings.Repeat(`{"a":`, DefaultDepth) + `0` + strings.Repeat(`}`, DefaultDepth),
	`{"` + strings.Repeat("n", DefaultName) + `":1}`,
}

func TestWellFormed(t *testing.T) {
	r := New(Limits{})
	for _, body := range wellFormed {
		if !json.Valid([]byte(body)) {
			t.Fatalf("%.100q is not well-formed", body)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(body)); err != nil {
			t.Fatal(err)
		}
		p, ok := keepAllPlan([]byte(body))
		if !ok {
			p = newPlan(nArray(nKeep())) // elements of several types
		}
		d := deliver(t, r, p, []byte(body))
		if d.err != nil {
			t.Errorf("%.100q: %v", body, d.err)
			continue
		}
		if ok && d.out != compact.String() {
			t.Errorf("%.100q became %.100q", body, d.out)
		}
		if len(body) < 1000 {
			checkSplits(t, r, p, []byte(body), d)
		}
		p = droppingPlan([]byte(body))
		d = deliver(t, r, p, []byte(body))
		if d.err != nil && d.err.Code != CodeRootDropped && len(body) < DefaultString {
			t.Errorf("dropped, %.100q: %v", body, d.err)
		}
		if len(body) < 1000 {
			checkSplits(t, r, p, []byte(body), d)
		}
	}
}
