package check_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/envoy/check"
)

var update = flag.Bool("update", false, "rewrite docs/envoy-check.md")

// The page of findings is made from the table.
func TestFindingsAreDocumented(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# What graphveil envoy check finds

The processor sees the body modes of the Envoy in front of it in the first message of each exchange, and whether it only observes. In any mode but the
one of our own bootstrap it refuses every exchange with ` + "`envoy_mode_refused`" + `, logs why once a minute, and counts it in ` + "`graphveil_unsafe_modes_total`" + `; the client gets
that answer even where Envoy has ` + "`failure_mode_allow`" + `. What it cannot see is ` + "`failure_mode_allow`" + ` itself (what happens while the processor is away),
` + "`disable_immediate_response`" + `, other filters, other routes, logs and traces. Those are in Envoy's configuration, and this command reads it:

    graphveil envoy check envoy.yaml                                       # a bootstrap
    curl -s 'localhost:15000/config_dump?include_eds' | graphveil envoy check -          # what an Envoy of Istio runs
    curl -s 'localhost:19000/config_dump?include_eds' | graphveil envoy check -          # of Envoy Gateway

It judges every route that leads to the hosts of ` + "`--host`" + `, with the settings that routes, virtual hosts and weighted clusters override. An error ends it with
status 1: undecided bytes, an access token or the caller's own credentials could get out, or the file does not tell. Warnings leave it at 0. A file that cannot be read,
or that has keys of another version of Envoy, ends it with 2. ` + "`--json`" + ` prints a list for scripts, empty if nothing is found. No value of a secret is printed.

A type of filter, logger, tracer, cluster or socket that is not known is an error where tokens or answers pass it. It does not see Envoy's command line (` + "`--log-level debug`" + ` prints
tokens), nor settings that Envoy gets later: check what runs, from its admin interface, after each change. A listener
` + "`" + `…, which drains` + "`" + ` is the one before the change: it still serves the connections that it has, with its old settings, until they end.

This page is made from the table in ` + "`envoy/check/codes.go`" + `; ` + "`go test ./envoy/check -update`" + ` rewrites it.

| Found | | What is wrong | What to do |
|---|---|---|---|
`)
	for _, code := range slices.Sorted(maps.Keys(check.Codes)) {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", code, check.Codes[code].Severity(), check.Codes[code].Says, check.Codes[code].Do)
	}
	const file = "../../docs/envoy-check.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(file)
	if err != nil || string(page) != b.String() {
		t.Errorf("%s is not what the table says; go test ./envoy/check -update rewrites it (%v)", file, err)
	}
}
