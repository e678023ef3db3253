package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// difference is what Psoxy lets out or serves and a connector does not.
type difference struct {
	// missing are members, as dotted paths from the item on: elements of arrays have
	// the paths of their array, items of a page those of a single item.
	missing map[string]bool
	// refused and served are templates of documents, "/users/{userId}/drives".
	refused, served map[string]bool
}

// compare wants ours within Psoxy's, with the same values, and collects what of
// Psoxy's is missing or sealed. Links always are, so their values differ.
func (d *difference) compare(t *testing.T, id, at string, ours, psoxys any) {
	t.Helper()
	switch ours := ours.(type) {
	case map[string]any:
		theirs, ok := psoxys.(map[string]any)
		if !ok {
			t.Errorf("%s: %s is an object here only", id, at)
			return
		}
		for name, value := range ours {
			their, ok := theirs[name]
			switch {
			case !ok:
				t.Errorf("%s: %s is here only", id, member(at, name))
			case sealedLink(value):
				d.missing[member(at, name)] = true
			default:
				d.compare(t, id, member(at, name), value, their)
			}
		}
		for name := range theirs {
			if _, ok := ours[name]; !ok {
				d.missing[member(at, name)] = true
			}
		}
	case []any:
		theirs, ok := psoxys.([]any)
		if !ok || len(theirs) != len(ours) {
			t.Errorf("%s: %s has other elements", id, at)
			return
		}
		for i := range ours {
			d.compare(t, id, at, ours[i], theirs[i])
		}
	default:
		if sealed(ours, psoxys) {
			d.missing[at] = true
		} else if !reflect.DeepEqual(ours, psoxys) {
			t.Errorf("%s: %s has another value", id, at)
		}
	}
}

// sealed tells whether ours is the token that only this sidecar turns back into
// what Psoxy lets out.
func sealed(ours, psoxys any) bool {
	token, ok := ours.(string)
	value, isString := psoxys.(string)
	return ok && isString && value != "" && token == string(testCodec.AppendReversible(nil, []byte(value)))
}

func sealedLink(value any) bool {
	link, _ := value.(string)
	return strings.Contains(link, "token=gv~")
}

var directoryExtension = regexp.MustCompile(`^extension_[0-9a-f]{32}_`)

// member extends the dotted path of a member.
func member(at, name string) string {
	if directoryExtension.MatchString(name) {
		name = "extension_*"
	}
	if at == "" || at == "value" {
		return name
	}
	return at + "." + name
}

var (
	tighterRow = regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|")
	inCode     = regexp.MustCompile("`([^`]+)`")
)

// checkReadme holds the differences against the section "Tighter than Psoxy" of a
// connector's README: the first column of its table names the members, and its
// text the paths that are refused. A name that begins with "*." stands for the
// member at any depth.
func (d *difference) checkReadme(t *testing.T, connector string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("policy/connectors", connector, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Tighter than Psoxy\n")
	if !ok {
		t.Errorf("%s/README.md has no section on what is tighter than Psoxy", connector)
		return
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var listed []string
	for _, row := range tighterRow.FindAllStringSubmatch(section, -1) {
		for _, name := range inCode.FindAllStringSubmatch(row[1], -1) {
			listed = append(listed, name[1])
		}
	}
	paths := map[string]bool{}
	for _, path := range inCode.FindAllStringSubmatch(section, -1) {
		paths[anyParameter(path[1])] = true
	}
	for name := range d.missing {
		if !slices.ContainsFunc(listed, func(l string) bool { return names(l, name) }) {
			t.Errorf("%s/README.md: %s is not listed as tighter than Psoxy", connector, name)
		}
	}
	for _, l := range listed {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(d.missing)), func(name string) bool { return names(l, name) }) {
			t.Errorf("%s/README.md: %s is listed as tighter than Psoxy, but is not", connector, l)
		}
	}
	for path := range d.refused {
		if !paths[anyParameter(path)] {
			t.Errorf("%s/README.md: %s is refused and not listed", connector, path)
		}
	}
	for path := range d.served {
		if paths[anyParameter(path)] && !d.refused[path] {
			t.Errorf("%s/README.md: %s is listed as refused, but is served", connector, path)
		}
	}
}

// names tells whether a name in a README stands for the dotted path of a member.
func names(listed, path string) bool {
	end, anywhere := strings.CutPrefix(listed, "*")
	return listed == path || anywhere && strings.HasSuffix(path, end)
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// anyParameter is a path without the names of its parameters.
func anyParameter(path string) string { return parameter.ReplaceAllString(path, "{}") }
