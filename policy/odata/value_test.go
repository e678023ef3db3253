package odata

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseFilter(t *testing.T) {
	for _, test := range []struct {
		value string
		want  Filter
	}{
		{"receivedDateTime ge 2024-01-31T00:00:00Z", Filter{Properties: []string{"receivedDateTime"}, Depth: 1}},
		{"receivedDateTime ge 2024-01-31T08:30:00.123+01:00 and isRead eq false", Filter{Properties: []string{"isRead", "receivedDateTime"}, Depth: 1}},
		{"receivedDateTime GE 2024-01-31", Filter{Properties: []string{"receivedDateTime"}, Depth: 1}},
		{"startswith(displayName,'A')", Filter{Properties: []string{"displayName"}, Functions: []string{"startswith"}, Depth: 2}},
		{"StartsWith(toLower(displayName), 'a') eq true", Filter{Properties: []string{"displayName"}, Functions: []string{"startswith", "tolower"}, Depth: 3}},
		{"not (a eq 1 or b/c ne null)", Filter{Properties: []string{"a", "b/c"}, Depth: 2}},
		{"not(a eq 'x' and not b gt -1.5e3)", Filter{Properties: []string{"a", "b"}, Depth: 2}},
		{"a in ('x','y, eq z') and a eq a", Filter{Properties: []string{"a"}, Depth: 1}},
		{"id eq 48d31887-5fad-4d73-a9f5-3c356e68a038", Filter{Properties: []string{"id"}, Depth: 1}},
		{"id eq a8d31887-5fad-4d73-a9f5-3c356e68a038", Filter{Properties: []string{"id"}, Depth: 1}},
		{"subject eq 'it''s eq salary'", Filter{Properties: []string{"subject"}, Depth: 1}},
		{"accountEnabled", Filter{Properties: []string{"accountEnabled"}, Depth: 1}},
		{"proxyAddresses/any(p:p eq 'smtp:x')", Filter{Properties: []string{"proxyAddresses"}, Lambdas: true, Depth: 2}},
		{"a/b/any(c:c/d eq 'x' and c/e/all(f:f/g eq c/h))", Filter{Properties: []string{"a/b", "a/b/d", "a/b/e", "a/b/e/g", "a/b/h"}, Lambdas: true, Depth: 3}},
		{"tags/any(mail:mail eq 'x')", Filter{Properties: []string{"mail", "tags"}, Lambdas: true, Depth: 2}},
		{"attachments/any()", Filter{Properties: []string{"attachments"}, Lambdas: true, Depth: 1}},
		{"date eq 1 and contains(date,'x')", Filter{Properties: []string{"date"}, Functions: []string{"contains"}, Depth: 2}},
		{"createdDateTime lt now()", Filter{Properties: []string{"createdDateTime"}, Functions: []string{"now"}, Depth: 2}},
	} {
		got, err := ParseFilter(test.value)
		if err != nil {
			t.Errorf("%s: %v", test.value, err)
			continue
		}
		got.Comparisons, got.Others = nil, nil // see below
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", test.value, got, test.want)
		}
	}
}

func TestParseFilterComparisons(t *testing.T) {
	one := func(property, operator, text string, offset int) Comparison {
		return Comparison{property, operator, []Literal{{text, offset}}}
	}
	for _, test := range []struct {
		value       string
		comparisons []Comparison
		others      []string
	}{
		{"id eq 'a'", []Comparison{one("id", "eq", "'a'", 6)}, nil},
		{"ID  NE 'it''s' and (b gt 5 or not c eq null)", []Comparison{one("ID", "ne", "'it''s'", 7), one("b", "gt", "5", 25), one("c", "eq", "null", 39)}, nil},
		{"a/b in ('x', 'y') ", []Comparison{{"a/b", "in", []Literal{{"'x'", 8}, {"'y'", 13}}}}, nil},
		{"'a' eq id", nil, []string{"id"}},
		{"id eq b", nil, []string{"b", "id"}},
		{"(id) eq 'a'", nil, []string{"id"}},
		{"id", nil, []string{"id"}},
		{"not id or id eq 'a'", []Comparison{one("id", "eq", "'a'", 16)}, []string{"id"}},
		{"id eq ('a')", nil, []string{"id"}},
		{"id eq tolower('a')", nil, []string{"id"}},
		{"startswith(id,'a') eq true", nil, []string{"id"}},
		{"tolower(id) in ('a')", nil, []string{"id"}},
		{"a/any(x:x/id eq 'b')", []Comparison{one("a/id", "eq", "'b'", 16)}, []string{"a"}},
	} {
		got, err := ParseFilter(test.value)
		if err != nil || !reflect.DeepEqual(got.Comparisons, test.comparisons) || !reflect.DeepEqual(got.Others, test.others) {
			t.Errorf("%s: %+v, %v", test.value, got, err)
		}
		for _, c := range got.Comparisons {
			for _, l := range c.Literals {
				if !strings.HasPrefix(test.value[l.Offset:], l.Text) {
					t.Errorf("%s: literal %+v", test.value, l)
				}
			}
		}
	}
	for text, want := range map[string]string{"'a'": "a", "'it''s'": "it's", "''": "", "''''": "'"} {
		if got, ok := (Literal{Text: text}).Unquoted(); !ok || got != want || Quote(got) != text {
			t.Errorf("%s: %q, %t", text, got, ok)
		}
	}
	for _, text := range []string{"5", "null", "2024-01-01", ""} {
		if got, ok := (Literal{Text: text}).Unquoted(); ok {
			t.Errorf("%s is a string: %q", text, got)
		}
	}
}

func TestParseFilterRefuses(t *testing.T) {
	for _, value := range []string{
		"", " ", "a eq", "eq 'x'x", "a eq 'x", "a eq 'x' or", "a eq 'x' and and b", "(a eq 1", "a eq 1)", "a eq 1 b",
		"a eq b'00'", "duration'P1D' eq a", "microsoft.graph.user/a eq 1", "a/microsoft.graph.user/b eq 1", "$it/a eq 1",
		"@p eq 1", "a/$count gt 1", "members/$count eq 0", "a eq @p", "cast(a,'b')", "isof(a)", "unknown(a)", "startswith(a)",
		"startswith(a,'b','c')", "startswith (a,'b')", "a add 1 eq 2", "a eq 1and b eq 2", "a eq 2024-1-1", "a eq 1.", "a eq .5", "a eq 1e",
		"a eq 1e+-5", "a eq 2024-01-01T00:00:00 01:00", "a eq \u2018x\u2019", "a\u00a0eq 1", "a eq \"x\"", "a in 'x'", "a in ()", "a in (b)", "a/ b eq 1",
		"a /b eq 1", "a//b eq 1", "/a eq 1", "a/ eq 1", "any(x:x eq 1)", "a/any (x:x eq 1)", "a/all()", "a/any(x eq 1)", "a/any(x:)", "a/any(null:null eq 1)",
		"a eq 1;b eq 2", "a eq 1,b eq 2", "a eq 1 -- x", "*", "a-b eq 1", "a eq 1%41",
		strings.Repeat("(", MaxDepth+1) + "a" + strings.Repeat(")", MaxDepth+1),
		strings.Repeat("tolower(", MaxDepth+1) + "a" + strings.Repeat(")", MaxDepth+1),
		"a eq 1" + strings.Repeat(" or a eq 1", MaxTokens/4),
	} {
		got, err := ParseFilter(value)
		var refused *Error
		if !errors.As(err, &refused) || refused.Code != CodeQuery {
			t.Errorf("%.60q: got %+v, %v; want a refusal", value, got, err)
		}
		if !reflect.DeepEqual(got, Filter{}) {
			t.Errorf("%.60q: refused, but returned %+v", value, got)
		}
	}
}

func TestParseSelectAndOrderBy(t *testing.T) {
	for value, want := range map[string][]string{
		"id":                           {"id"},
		"id,from/emailAddress, sender": {"id", "from/emailAddress", "sender"},
		"*":                            {"*"},
		"microsoft.graph.event/start":  {"microsoft.graph.event/start"},
	} {
		if got, err := ParseSelect(value); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v", value, got, err)
		}
	}
	for _, value := range []string{"", ",", "id,", "id id", "a(b)", "$ref", "@odata.id", "'a'", "a;b", "a.", ".a"} {
		if got, err := ParseSelect(value); err == nil {
			t.Errorf("select %q accepted: %q", value, got)
		}
	}
	got, err := ParseOrderBy("receivedDateTime desc,from/emailAddress/name, b ASC")
	want := []Order{{"receivedDateTime", true}, {"from/emailAddress/name", false}, {"b", false}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, value := range []string{"", "a b", "a desc asc", "length(a)", "a,", "$count", "a eq 1", "microsoft.graph.user/a"} {
		if got, err := ParseOrderBy(value); err == nil {
			t.Errorf("orderby %q accepted: %+v", value, got)
		}
	}
}

func TestParseExpand(t *testing.T) {
	got, err := ParseExpand("manager,members($select=id,mail;$Expand=manager($select=id);$filter=(a eq 'x;y)');$top=5)")
	want := []Expansion{
		{Path: "manager"},
		{
			Path: "members", Select: []string{"id", "mail"}, Options: []string{"select", "expand", "filter", "top"},
			Expand: []Expansion{{Path: "manager", Select: []string{"id"}, Options: []string{"select"}}},
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	nested := strings.Repeat("a($expand=", MaxDepth+1) + "a" + strings.Repeat(")", MaxDepth+1)
	for _, value := range []string{
		"", "*", "members/$ref", "members/$count", "members()", "members($select)", "members($select=id", "members(select=id;$select=mail)",
		"members($select=id))", "members($select=id;)", "a b", "a,", "a($top='x)", nested,
	} {
		if got, err := ParseExpand(value); err == nil {
			t.Errorf("%.60q accepted: %+v", value, got)
		}
	}
}

func TestParseScalars(t *testing.T) {
	for value, want := range map[string]int{"0": 0, "5": 5, "007": 7, "999999999": 999999999, "": -1, "-1": -1, "+1": -1, "1.0": -1, "1e3": -1, " 1": -1, "9999999999": -1, "٣": -1} {
		got, err := ParseInteger(value)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("integer %q: %d, want %d", value, got, want)
		}
	}
	for value, want := range map[string]string{"true": "true", "False": "false", "": "", "1": "", "yes": "", "true ": ""} {
		b, err := ParseCount(value)
		got := map[bool]string{true: "true", false: "false"}[b]
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("count %q: %q, want %q", value, got, want)
		}
	}
	for value, ok := range map[string]bool{`"subject:x"`: true, "x": true, "": false, " ": false, `"x`: false} {
		if _, err := ParseSearch(value); (err == nil) != ok {
			t.Errorf("search %q: %v", value, err)
		}
	}
}

// FuzzParseValues: no panic, and every name that a filter reports stands in it.
func FuzzParseValues(f *testing.F) {
	for _, seed := range []string{
		"a eq 1 and startswith(b/c,'x')", "a/any(x:x/b eq 'c')", "m($select=id;$expand=x)", "a desc,b", "a in ('b')", "not not (a)", "a eq 2024-01-01T00:00:00Z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if filter, err := ParseFilter(value); err == nil {
			for _, path := range filter.Properties {
				for _, name := range strings.Split(path, "/") {
					if !strings.Contains(value, name) {
						t.Fatalf("%q: reports %q", value, path)
					}
				}
			}
			compared := map[string]bool{}
			for _, c := range filter.Comparisons {
				compared[c.Property] = true
				for _, l := range c.Literals {
					if !strings.HasPrefix(value[l.Offset:], l.Text) || l.Text == "" {
						t.Fatalf("%q: literal %+v", value, l)
					}
				}
			}
			for _, path := range filter.Properties {
				if !compared[path] && !slices.Contains(filter.Others, path) {
					t.Fatalf("%q: %q is neither compared nor used otherwise", value, path)
				}
			}
			if filter.Depth < 1 || filter.Depth > MaxDepth {
				t.Fatalf("%q: depth %d", value, filter.Depth)
			}
		}
		if items, err := ParseExpand(value); err == nil && len(items) == 0 {
			t.Fatalf("%q: no items", value)
		}
		if paths, err := ParseSelect(value); err == nil && len(paths) == 0 {
			t.Fatalf("%q: no paths", value)
		}
		if orders, err := ParseOrderBy(value); err == nil && len(orders) == 0 {
			t.Fatalf("%q: no orders", value)
		}
	})
}
