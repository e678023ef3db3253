package sanitize

import (
	"archive/zip"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/graphveil/graphveil/policy/plan"
)

// suiteArchive is JSONTestSuite, "Parsing JSON is a Minefield"; where it comes from is inside.
const suiteArchive = "../../testdata/json-suite.zip"

// readSuite returns the files whose names begin with a kind: y must be accepted,
// n must be refused, i is left open by RFC 8259.
func readSuite(t *testing.T, kind string, want int) map[string][]byte {
	t.Helper()
	archive, err := zip.OpenReader(suiteArchive)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	files := map[string][]byte{}
	for _, f := range archive.File {
		name, ok := strings.CutPrefix(f.Name, "test_parsing/"+kind+"_")
		if !ok {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[strings.TrimSuffix(name, ".json")], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	if len(files) != want {
		t.Fatalf("%d files of kind %s, want %d", len(files), kind, want)
	}
	return files
}

// suiteCase is a body of the suite with a plan, and what becomes of it if it is
// taken; nil where nothing else is said of it than that it is taken.
type suiteCase struct {
	what string
	plan *plan.Plan
	body []byte
	want func(compact []byte) []byte
}

// suiteCases are the plans under which a body is read: kept, dropped and unknown,
// by itself and as a member of an object.
func suiteCases(body []byte) []suiteCase {
	inside := slices.Concat([]byte(`{"x":`), body, []byte(`,"y":1}`))
	member := func(x *plan.Node) *plan.Plan { return newPlan(nObject(fields{"x": x, "y": nKeep()})) }
	only := func([]byte) []byte { return []byte(`{"y":1}`) }
	return []suiteCase{
		{"open", newPlan(nAny()), body, func(compact []byte) []byte { return compact }},
		{"kept", malformedPlan(body), body, nil},
		{"dropped below the root", droppingPlan(body), body, nil},
		{"member, open", member(nAny()), inside, func(compact []byte) []byte { return slices.Concat([]byte(`{"x":`), compact, []byte(`,"y":1}`)) }},
		{"member, dropped", member(nDrop()), inside, only},
		{"member, unknown", newPlan(nObject(fields{"y": nKeep()})), inside, only},
		{"member, held", newPlan(nSelect("y", cases{"1": nAny()}, nObject(fields{"y": nKeep()}))), inside, only},
		{"member, mistyped", member(nArray(nObject(nil))), inside, nil},
	}
}

// refusesBody reports whether an error says that a body is no JSON that is read
// here, not only that the plan makes nothing of it.
func refusesBody(err *Error) bool {
	return err != nil && err.Code != CodeRootDropped && err.Code != CodeMistyped && err.Code != CodeNoPlan
}

func TestSuiteMustReject(t *testing.T) {
	r := New(Limits{})
	for name, body := range readSuite(t, "n", 188) {
		for _, c := range suiteCases(body) {
			d := deliver(t, r, c.plan, c.body)
			if !refusesBody(d.err) {
				t.Errorf("n_%s, %s: passed as %q, %v", name, c.what, d.out, d.err)
			}
			checkSplits(t, r, c.plan, c.body, d)
		}
	}
}

// suiteDuplicates are what RFC 8259, section 4, calls unpredictable and the suite
// wants accepted: refused, because what one reader drops another keeps.
var suiteDuplicates = []string{"object_duplicated_key", "object_duplicated_key_and_value"}

func TestSuiteMustAccept(t *testing.T) {
	r := New(Limits{})
	duplicates := 0
	for name, body := range readSuite(t, "y", 95) {
		duplicate := slices.Contains(suiteDuplicates, name)
		if duplicate {
			duplicates++
		}
		compact := jsontext.Value(bytes.Clone(body))
		if err := compact.Compact(jsontext.AllowDuplicateNames(true)); err != nil {
			t.Fatalf("y_%s: %v", name, err)
		}
		for _, c := range suiteCases(body) {
			d := deliver(t, r, c.plan, c.body)
			switch {
			case duplicate && (d.err == nil || d.err.Code != CodeDuplicateKey):
				t.Errorf("y_%s, %s: passed as %q, %v", name, c.what, d.out, d.err)
			case !duplicate && refusesBody(d.err):
				t.Errorf("y_%s, %s: %v", name, c.what, d.err)
			case !duplicate && c.want != nil && d.out != string(c.want(compact)):
				t.Errorf("y_%s, %s: passed as %q, want %q", name, c.what, d.out, c.want(compact))
			}
			checkSplits(t, r, c.plan, c.body, d)
		}
	}
	if duplicates != len(suiteDuplicates) {
		t.Errorf("%d files with duplicate names, want %d", duplicates, len(suiteDuplicates))
	}
}

// suiteOpen says what becomes of the files that RFC 8259 leaves open.
var suiteOpen = []struct {
	why  string
	code string // "" where it is taken, and kept byte for byte
	// names of the files, parted by white space
	names string
}{
	{"a number is passed on as it is spelled, whatever a double can hold (section 6)", "", `
		number_double_huge_neg_exp number_huge_exp number_neg_int_huge_exp number_pos_double_huge_exp number_real_neg_overflow
		number_real_pos_overflow number_real_underflow number_too_big_neg_int number_too_big_pos_int number_very_big_negative_int`},
	{"an escaped surrogate may lack its partner: previews of mail are cut in the middle of a character (section 8.2)", "", `
		object_key_lone_2nd_surrogate string_1st_surrogate_but_2nd_missing string_1st_valid_surrogate_2nd_invalid
		string_incomplete_surrogate_and_escape_valid string_incomplete_surrogate_pair string_incomplete_surrogates_escape_valid
		string_invalid_lonely_surrogate string_invalid_surrogate string_inverted_surrogates_U+1D11E string_lone_second_surrogate`},
	{"all is UTF-8, also what is dropped (section 8.1)", CodeUTF8, `
		string_UTF-8_invalid_sequence string_UTF8_surrogate_U+D800 string_invalid_utf-8 string_iso_latin_1 string_lone_utf8_continuation_byte
		string_not_in_unicode_range string_overlong_sequence_2_bytes string_overlong_sequence_6_bytes string_overlong_sequence_6_bytes_null
		string_truncated-utf-8`},
	{"no other encoding is guessed (section 8.1)", CodeSyntax, `
		string_UTF-16LE_with_BOM string_utf16BE_no_BOM string_utf16LE_no_BOM`},
	{"a byte order mark is no white space, and must not be sent (section 8.1)", CodeSyntax, "structure_UTF-8_BOM_empty_object"},
	{"500 levels are more than Limits.Depth by default (section 9)", CodeDepth, "structure_500_nested_arrays"},
}

func TestSuiteOpen(t *testing.T) {
	r := New(Limits{})
	files := readSuite(t, "i", 35)
	for _, class := range suiteOpen {
		for name := range strings.FieldsSeq(class.names) {
			body, ok := files[name]
			if !ok {
				t.Errorf("i_%s is not in the suite, or twice in the table", name)
				continue
			}
			delete(files, name)
			for _, c := range suiteCases(body) {
				d := deliver(t, r, c.plan, c.body)
				switch {
				case class.code == "" && refusesBody(d.err):
					t.Errorf("i_%s, %s: %v, although %s", name, c.what, d.err, class.why)
				case class.code == "" && c.want != nil && d.out != string(c.want(body)):
					t.Errorf("i_%s, %s: passed as %q", name, c.what, d.out)
				case class.code != "" && (d.err == nil || d.err.Code != class.code):
					t.Errorf("i_%s, %s: passed as %q, %v, although %s", name, c.what, d.out, d.err, class.why)
				}
				checkSplits(t, r, c.plan, c.body, d)
			}
		}
	}
	for name := range files {
		t.Errorf("i_%s is not in the table", name)
	}
}
