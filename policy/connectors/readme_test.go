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
