package psoxy

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Whatever the document is, it is refused with reasons or becomes Rego that can be
// formatted, which Import sees to.
func FuzzImport(f *testing.F) {
	files, err := filepath.Glob("../../testdata/psoxy/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(small))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Import(Input{File: "rules.yaml", Text: text})
		switch {
		case err == nil && (len(c.Files) != 3 || c.Endpoints == 0):
			t.Errorf("%d files, %d endpoints", len(c.Files), c.Endpoints)
		case err != nil && err.Error() == "":
			t.Error("refused without a reason")
		}
		if _, list := err.(Errors); err != nil && !list {
			t.Errorf("what was written is no Rego: %v", err)
		}
	})
}

// A path expression becomes templates that can be written down, or an error.
func FuzzPathRegex(f *testing.F) {
	for _, seed := range []string{
		`^/v1.0/users/?[^/]*`, `^/users(/p~[a-zA-Z0-9_-]+?)?[^/]*/messages(\?.*)?`, `^/f(/a|\('a'\))/b.*`,
		`^/a(/(?<x>[({]?[a-f0-9]{8}[-]?))?(?<q>[a-z\?]*)`, `/[a-b]/(?i)c{2}\Qd\E$`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := parsePathRegex(text)
		if err != nil {
			return
		}
		for _, template := range w.templates {
			for _, p := range template.params() {
				if !plain(p.param) {
					t.Errorf("%q: parameter %q", text, p.param)
				}
				if _, err := regexp.Compile(p.pattern); err != nil {
					t.Errorf("%q: %v", text, err)
				}
			}
		}
	})
}
