package extproc

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/error-codes.md")

// The page of codes is made from the table of answers.
func TestErrorCodesAreDocumented(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Error codes

What Graphveil answers in its own words, as Graph's error shape: ` + "`" + `{"error":{"code","message"}}` + "`" + `. The same code is in the decision record, in the label
` + "`code`" + ` of ` + "`graphveil_exchanges_total`" + ` and in Envoy's access log. A policy may add codes of its own: refusals of a connector (` + "`me_not_served`" + `,
` + "`beta_not_served`" + `), answered 403. Once a response has begun to leave, a failure resets it instead.

Errors of Graph itself keep status and ` + "`code`" + `; their message is dropped, for it may quote the request.

This page is made from the table in ` + "`extproc/reply.go`" + `; ` + "`make update`" + ` rewrites it.

| Code | Status | Says |
|---|---|---|
`)
	for _, code := range slices.Sorted(maps.Keys(answers)) {
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", code, answers[code].status, answers[code].message)
	}
	const file = "../docs/error-codes.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(file)
	if err != nil || string(page) != b.String() {
		t.Errorf("%s is not what the table says; go test ./extproc -update rewrites it (%v)", file, err)
	}
}
