package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"github.com/graphveil/graphveil/extproc"
)

var (
	exampleRequest = regexp.MustCompile("(?m)^`(GET) ([^`]+)`$")
	exampleBody    = regexp.MustCompile("(?s)```json\n(.*?)```")
)

// TestReadmeExamples wants the example in the README of each connector to be what
// happens.
func TestReadmeExamples(t *testing.T) {
	readmes, err := filepath.Glob("policy/connectors/*/README.md")
	if err != nil || len(readmes) == 0 {
		t.Fatalf("no README, %v", err)
	}
	for _, readme := range readmes {
		text, err := os.ReadFile(readme)
		if err != nil {
			t.Fatal(err)
		}
		request := exampleRequest.FindSubmatch(text)
		bodies := exampleBody.FindAllSubmatch(text, -1)
		if request == nil || len(bodies) != 2 {
			t.Errorf("%s: want one request and two bodies", readme)
			continue
		}
		g := testGateway(t, filepath.Base(filepath.Dir(readme)), nil)
		out, result := sanitizeOne(t.Context(), g, offlineExchange{Method: string(request[1]), URL: string(request[2]), Status: 200, body: bodies[0][1]})
		if result.outcome != extproc.OutcomeSanitized {
			t.Errorf("%s: the example is %s: %v", readme, result.outcome, result.reasons)
			continue
		}
		if got, want := decodeJSON(t, out), decodeJSON(t, bodies[1][1]); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the example's body becomes %s", readme, out)
		}
	}
}
