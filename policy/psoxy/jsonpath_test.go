package psoxy

import "testing"

func TestParsePath(t *testing.T) {
	for text, want := range map[string]string{
		`$..a`:                    `$..a`,
		`$.a.b`:                   `$.a.b`,
		`$..a[*].b`:               `$..a[*].b`,
		`$.value.*.b`:             `$.value[*].b`,
		`$.a.*`:                   `$.a[*]`,
		`$..['@odata.context']`:   `$..['@odata.context']`,
		`$.['x', 'y']`:            `$.['x', 'y']`,
		`$..["x","y"]`:            `$..["x","y"]`,
		`$..a[?(@.p == 'v')].b`:   `$..a[?(@.p == 'v')].b`,
		`$..a[*][?(@.p!="v")].b`:  `$..a[*][?(@.p!="v")].b`,
		`$..a..[?(@.p != "v")].b`: `$..a..[?(@.p != "v")].b`,
		`$`:                       "",
		`a`:                       "",
		`$..*`:                    "",
		`$..[*]`:                  "",
		`$.a[0]`:                  "",
		`$.a[1:2]`:                "",
		`$.a.length()`:            "",
		`$.a[?(@.p > 1)]`:         "",
		`$.a[?(@.p.q == 'v')]`:    "",
		`$.a[?(@.p == v)]`:        "",
		`$..a..b`:                 "",
		`$.a['x','y'].b`:          "",
		`$..a['x','y']`:           "",
		`$.a[*][*]`:               "",
		`$.a[`:                    "",
		`$.a['x`:                  "",
		`$a`:                      "",
		`$.`:                      "",
	} {
		p, err := parsePath(text)
		if (err == nil) != (want != "") || err == nil && p.text != want {
			t.Errorf("%s: %q, %v, want %q", text, p.text, err, want)
		}
	}
}

func TestDefinitePaths(t *testing.T) {
	for text, want := range map[string]bool{`$.a.b`: true, `$..a`: false, `$.a[*]`: false, `$['a','b']`: false, `$.a[?(@.p == 'v')]`: false} {
		if p, err := parsePath(text); err != nil || p.definite() != want {
			t.Errorf("%s: %v, %v", text, p.definite(), err)
		}
	}
}
