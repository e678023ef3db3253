package connectors_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
)

var tableEndpoint = regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+` ?)+)\\|.*`/(?:v1.0|beta)/|^\\| ((?:`[a-z_]+` ?)+)\\| as in ")

// TestReadmeListsEndpoints wants every endpoint in the table of its README.
func TestReadmeListsEndpoints(t *testing.T) {
	for _, connector := range connectors(t) {
		text, err := os.ReadFile(filepath.Join(connector, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		listed := map[string]bool{}
		for _, row := range tableEndpoint.FindAllString(string(text), -1) {
			for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row, -1) {
				listed[name[1]] = true
			}
		}
		endpoints := evaluate(t, "data.graphveil.connectors."+connector+".endpoints", map[string]any{}).(map[string]any)
		if !reflect.DeepEqual(sorted(listed), sorted(endpoints)) {
			t.Errorf("%s/README.md lists %v, the connector has %v", connector, sorted(listed), sorted(endpoints))
		}
	}
}

var (
	tableRow = regexp.MustCompile("(?m)^\\| (`[a-z_]+`(?: `[a-z_]+`)*) \\| (?:.*`/|as in ).*\\| ([^|]*) \\|$")
	quoted   = regexp.MustCompile("`([^`]+)`")
)

// TestReadmeNamesPermissions holds the last column of the endpoints against the Rego:
// all that the endpoints of the line need.
func TestReadmeNamesPermissions(t *testing.T) {
	for _, connector := range connectors(t) {
		text, err := os.ReadFile(filepath.Join(connector, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		endpoints := evaluate(t, "data.graphveil.connectors."+connector+".endpoints", map[string]any{"endpoints": "all"}).(map[string]any)
		rows := 0
		for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
			said, need := map[string]bool{}, map[string]bool{}
			for _, permission := range quoted.FindAllStringSubmatch(row[2], -1) {
				said[permission[1]] = true
			}
			for _, id := range quoted.FindAllStringSubmatch(row[1], -1) {
				endpoint, ok := endpoints[id[1]].(map[string]any)
				if !ok {
					t.Errorf("%s/README.md: there is no endpoint %s", connector, id[1])
					continue
				}
				rows++
				for _, permission := range texts(endpoint["permissions"]) {
					need[permission] = true
				}
			}
			if !reflect.DeepEqual(said, need) {
				t.Errorf("%s/README.md: %s need %v, not %v", connector, row[1], sorted(need), sorted(said))
			}
		}
		if rows != len(endpoints) {
			t.Errorf("%s/README.md: %d endpoints have permissions, the connector has %d", connector, rows, len(endpoints))
		}
	}
}
