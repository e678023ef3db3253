package connectors_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"github.com/graphveil/graphveil/extproc/pseudonym"
)

var (
	exampleRequest = regexp.MustCompile("(?m)^`GET ([^`]+)`$")
	exampleBody    = regexp.MustCompile("(?s)```json\n(.*?)```")
)

// TestReadmeExamples wants the example in each README to be what happens.
func TestReadmeExamples(t *testing.T) {
	codec, err := pseudonym.New(pseudonym.Config{Salt: "salt", Key: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	for _, connector := range []string{"entra_id", "outlook_mail"} {
		text, err := os.ReadFile(filepath.Join(connector, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		request := exampleRequest.FindSubmatch(text)
		bodies := exampleBody.FindAllSubmatch(text, -1)
		if request == nil || len(bodies) != 2 {
			t.Errorf("%s/README.md: want one request and two bodies", connector)
			continue
		}
		var original, want any
		decode(t, bodies[0][1], &original)
		decode(t, bodies[1][1], &want)
		endpoints := evaluate(t, "data.graphveil.connectors."+connector+".endpoints", map[string]any{}).(map[string]any)
		_, endpoint, ok := find(t, endpoints, string(request[1]))
		if !ok {
			t.Errorf("%s/README.md: the example's request is refused", connector)
			continue
		}
		if got, _ := (interpreter{t, codec}).apply(endpoint["response"], original); !reflect.DeepEqual(got, want) {
			t.Errorf("%s/README.md: the example's body becomes %v", connector, got)
		}
	}
}

var tableEndpoint = regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+` ?)+)\\|.*`/v1.0|^\\| ((?:`[a-z_]+` ?)+)\\| as in ")

// TestReadmeListsEndpoints wants every endpoint in the table of its README.
func TestReadmeListsEndpoints(t *testing.T) {
	for _, connector := range []string{"entra_id", "outlook_mail"} {
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
