package policy

import (
	"slices"
	"strings"
	"testing"
)

func (s pathSegment) String() string {
	text := map[bool]string{true: "..", false: "."}[s.scan]
	switch s.kind {
	case byWildcard:
		return text + "*"
	case byFilter:
		return text + "?" + s.test.member + map[bool]string{true: "!=", false: "=="}[s.test.unequal] + s.test.value
	}
	return text + strings.Join(s.names, "|")
}

func TestParseJSONPath(t *testing.T) {
	for text, want := range map[string]string{
		`$.a`:                                  `.a`,
		`$..a`:                                 `..a`,
		`$.a.b[*].c`:                           `.a .b .* .c`,
		`$..a.b`:                               `..a .b`,
		`$..a[*]`:                              `..a .*`,
		`$..a[*].b`:                            `..a .* .b`,
		`$..['@odata.context']`:                `..@odata.context`,
		`$..["it's"]`:                          `..it's`,
		`$..['x','y']`:                         `..x|y`,
		`$.['x', "y" ,'z']`:                    `.x|y|z`,
		`$['x']`:                               `.x`,
		`$.a['b']['c','d']`:                    `.a .b .c|d`,
		`$..['it\'s\\']`:                       `..it's\`,
		`$..a[?(@.p == 'v')].b`:                `..a .?p==v .b`,
		`$..a[*][?(@.p != "v")].b`:             `..a .* .?p!=v .b`,
		`$..a..[?(@.p != "v")].b`:              `..a ..?p!=v .b`,
		`$..[?(@['p.q']=='v')]`:                `..?p.q==v`,
		`$..a[ ?( @.p  ==  '' ) ].b`:           `..a .?p== .b`,
		`$.a[?(@.p == 'v')]..b`:                `.a .?p==v ..b`,
		`$..links[?(@.linkType == 'a)] b')].c`: `..links .?linkType==a)] b .c`,
		`$..café`:                              `..café`,
		`$.a_b-c@d`:                            `.a_b-c@d`,
	} {
		path, err := parseJSONPath(text)
		var got []string
		for _, s := range path {
			got = append(got, s.String())
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v; want %s", text, got, err, want)
		}
	}
}

func TestParseJSONPathRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                               `at byte 0: a path begins with $`,
		`a`:                              `at byte 0: a path begins with $`,
		`$`:                              `at byte 1: $ alone`,
		`$a`:                             `at byte 1: expected ., .. or [`,
		`$.`:                             `at byte 2: expected a name`,
		`$..`:                            `at byte 3: expected a name`,
		`$...a`:                          `at byte 3: expected a name`,
		`$.a b`:                          `at byte 3: expected ., .. or [`,
		`$.a `:                           `at byte 3: expected ., .. or [`,
		`$.*`:                            `at byte 1: .* is not supported; write [*]`,
		`$..*`:                           `at byte 1: .* is not supported`,
		`$..[*]`:                         `at byte 1: ..[*], everything at any depth`,
		`$..a..b`:                        `at byte 4: a second ..`,
		`$..a..b.c`:                      `at byte 4: a second ..`,
		`$..a[0]`:                        `at byte 4: indexes and slices`,
		`$..a[-1:]`:                      `at byte 4: indexes and slices`,
		`$..a[:2]`:                       `at byte 4: indexes and slices`,
		`$..a.length()`:                  `at byte 5: functions are not supported`,
		`$..a['b','c']`:                  `at byte 4: several names after ..`,
		`$.['a','b'].c`:                  `at byte 11: several names are supported at the end`,
		`$.['a','a']`:                    `at byte 7: a name is there twice`,
		`$.['']`:                         `at byte 3: an empty name`,
		`$.['a`:                          `at byte 3: a quote that does not end`,
		`$.['a'`:                         `at byte 6: expected ]`,
		`$.['a',]`:                       `at byte 7: expected a quoted name`,
		`$.[`:                            `at byte 3: [ without ]`,
		`$.[a]`:                          `at byte 3: expected a quoted name`,
		`$.['\u0061']`:                   `at byte 4: a backslash`,
		`$..a[*][*]`:                     `at byte 7: [*][*]`,
		`$..a[?(@.p=='v')][*]`:           `at byte 17: [*] after a filter`,
		`$..a[?(@.p=='v')][?(@)]`:        `at byte 17: only filters`,
		`$..a[?(@.p=='v')][?(@.q=='v')]`: `at byte 17: a filter of a filter`,
		`$..a[?(@.p)].b`:                 `at byte 4: only filters`,
		`$..a[?(@.p == 1)].b`:            `at byte 4: only filters`,
		`$..a[?(@.p == null)].b`:         `at byte 4: only filters`,
		`$..a[?(@.p > 'v')].b`:           `at byte 4: only filters`,
		`$..a[?(@.p =~ /v/)].b`:          `at byte 4: only filters`,
		`$..a[?(@.p in ['v'])].b`:        `at byte 4: only filters`,
		`$..a[?(@.p == 'v' && @.q)].b`:   `at byte 4: only filters`,
		`$..a[?(@..p == 'v')].b`:         `at byte 4: only filters`,
		`$..a[?(@.p.q == 'v')].b`:        `at byte 4: only filters`,
		`$..a[?(@['p','q'] == 'v')].b`:   `at byte 4: only filters`,
		`$..a[?(@[*] == 'v')].b`:         `at byte 4: only filters`,
		`$..a[?('v' == @.p)].b`:          `at byte 4: only filters`,
		`$..a[?@.p == 'v'].b`:            `at byte 4: only filters`,
		`$..a[?($.p == 'v')].b`:          `at byte 4: only filters`,
		"$.a\nb":                         `at byte 3: expected ., .. or [`,
	} {
		path, err := parseJSONPath(text)
		if err == nil || !strings.Contains(err.Error(), want) || path != nil {
			t.Errorf("%q: %v, %v; want %s", text, path, err, want)
		}
	}
}

// A path that parses means the same when it is written out with brackets, and
// nothing in it is empty.
func FuzzJSONPath(f *testing.F) {
	for _, text := range []string{`$..a`, `$.['x','y']`, `$..a[*].b`, `$..a..[?(@.p != "v")].b`, `$.a.b[*][?(@['p'] == 'it\'s')].c`, `$..[?(@.t=='b')]`, `$["\\"]`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, err := parseJSONPath(text)
		if err != nil {
			if offset := err.(*pathError).offset; offset < 0 || offset > len(text) {
				t.Errorf("offset %d of %q", offset, text)
			}
			return
		}
		var b strings.Builder
		b.WriteByte('$')
		for _, s := range path {
			b.WriteString(map[bool]string{true: "..", false: ""}[s.scan])
			switch s.kind {
			case byWildcard:
				b.WriteString("[*]")
			case byFilter:
				b.WriteString("[?(@[" + quotePath(s.test.member) + "]" + map[bool]string{true: "!=", false: "=="}[s.test.unequal] + quotePath(s.test.value) + ")]")
			default:
				var names []string
				for _, name := range s.names {
					if name == "" {
						t.Fatalf("%q has an empty name", text)
					}
					names = append(names, quotePath(name))
				}
				if len(names) == 0 {
					t.Fatalf("%q has a segment without names", text)
				}
				b.WriteString("[" + strings.Join(names, ",") + "]")
			}
		}
		again, err := parseJSONPath(b.String())
		if err != nil || !slices.EqualFunc(path, again, func(a, b pathSegment) bool {
			return a.scan == b.scan && a.kind == b.kind && a.test == b.test && slices.Equal(a.names, b.names)
		}) {
			t.Errorf("%q as %q: %v, %v; want %v", text, b.String(), again, err, path)
		}
	})
}

func quotePath(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
