package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
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

// TestReadmeOfTheProject wants its first example to be what happens, and runs what it
// shows without Envoy, literally.
func TestReadmeOfTheProject(t *testing.T) {
	text := readText(t, "README.md")
	bodies := exampleBody.FindAllStringSubmatch(text, -1)
	if len(bodies) != 2 {
		t.Fatalf("%d bodies", len(bodies))
	}
	want, _ := decodeJSON(t, []byte(bodies[1][1])).(map[string]any)
	token, _ := want["id"].(string)
	g := testGateway(t, "entra_id", nil)
	out, result := sanitizeOne(t.Context(), g, offlineExchange{Method: "GET", URL: "/v1.0/users/" + token, Status: 200, body: []byte(bodies[0][1])})
	if result.outcome != extproc.OutcomeSanitized || !reflect.DeepEqual(decodeJSON(t, out), any(want)) {
		t.Errorf("the body becomes %s, %v", out, result.reasons)
	}

	_, commands, found := strings.Cut(text, "To try a policy without Envoy, in this folder:\n\n```sh\n")
	commands, _, ended := strings.Cut(commands, "```")
	if !found || !ended || strings.Count(commands, "./graphveil ") != 3 {
		t.Fatal("the commands are not where they were")
	}
	program := graphveil(t)
	shell := exec.Command("sh", "-c", strings.ReplaceAll(commands, "./graphveil ", `"$PROGRAM" `))
	shell.Env = append(program.Env, "PROGRAM="+program.Path)
	said, err := shell.CombinedOutput()
	for _, part := range []string{"needs GroupMember.Read.All, User.Read.All", "denied: filter_property_not_allowed:$filter", `{"value":[{"id":"` + token + `","mail":"t~`} {
		if !strings.Contains(string(said), part) {
			t.Errorf("%v, and %q is not in it:\n%s", err, part, said)
		}
	}
}
