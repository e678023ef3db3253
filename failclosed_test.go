package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"strings"
	"testing"
)

var discardLog = log.New(io.Discard, "", 0)

// failure is one line of the matrix: something breaks, and what a client then
// may get.
type failure struct {
	what, when string
	want       ending
	// exchange breaks it and reads failTarget.
	exchange func(r *rig, protocol string) wireResponse
	// repair makes whole what Graph.ClearFaults does not.
	repair func(r *rig)
}

// ending is what a client may get.
type ending string

const (
	// turnedAway is an error in Graph's shape without a byte of Graph's answer.
	turnedAway ending = "refused"
	// cutOff is a part of the sanitized answer and a broken transport.
	cutOff ending = "cut off"
	// refusedOrCut is one or the other, by timing.
	refusedOrCut ending = "refused or cut off"
	// served is the whole sanitized answer: nothing was lost.
	served ending = "served"
	// noContent is an answer that has no body by its nature.
	noContent ending = "no content"
)

const failIntro = `# What a client gets when something breaks

TestFailClosed (failclosed_test.go) breaks each part below, through a real Envoy, with a mark in every legible value of the synthetic
tenant that is personal, and reads what arrives at a client byte by byte. It wrote this file, and fails when a run finds something else:

    go test -run TestFailClosed .            # compare
    go test -run TestFailClosed -update .    # rewrite

How to read the results:

- A status and a code, as in ` + "`502 response_malformed`" + `: an error in Graph's shape, made of constants. Nothing of Graph's answer arrived, neither
  personal nor shared: not in the headers, the body or the trailers. "Retry-After" says that this header came with it.
- "cut off": headers and a part of the answer had left. All of it is a prefix of the sanitized answer, byte by byte, and the connection is
  closed before the end that was announced (HTTP/1.1) or the stream is reset (HTTP/2): no client takes it for the whole.
- "refused or cut off": one of the two above, by timing.
- "200": the whole sanitized answer. What broke is not needed for it.

"Personal values out" counts those that arrived at the client or are in the logs and metrics. "Healthy after" says whether the first
request after the repair got the whole answer. Repair means to end the fault; where the processor was killed it is to start another one.
Envoy is the same process all the time within a part.

Limits in these runs: timeouts.processor 1s, timeouts.connect 1s, timeouts.idle 2s, drain_timeout 300ms, request_timeout 700ms.
`

// TestFailClosed breaks one part after the other and holds what a client gets
// against the published table.
func TestFailClosed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	parts := []struct {
		title    string
		rig      func(*testing.T) *rig
		failures []failure
		lines    strings.Builder
	}{
		{title: "Processor", rig: startedRig, failures: processorFailures},
		{title: "Microsoft Graph", rig: startedRig, failures: graphFailures},
		{title: "Microsoft Entra ID", rig: expiringRig, failures: entraFailures},
		{title: "Policy", rig: startedRig, failures: policyFailures},
	}
	t.Cleanup(func() { // after the parts, which run at the same time
		var doc strings.Builder
		doc.WriteString(failIntro)
		for i := range parts {
			fmt.Fprintf(&doc, "\n## %s\n\n| What breaks | When | HTTP/1.1 | HTTP/2 | Personal values out | Healthy after |\n|---|---|---|---|---|---|\n%s",
				parts[i].title, parts[i].lines.String())
		}
		if !t.Failed() {
			compareWithFile(t, "docs/fail-closed.md", doc.String())
		}
	})
	for i := range parts {
		part := &parts[i]
		t.Run(part.title, func(t *testing.T) {
			t.Parallel()
			r := part.rig(t)
			for _, f := range part.failures {
				part.lines.WriteString(r.line(t, f))
			}
		})
	}
}

// startedRig is a rig that serves.
func startedRig(t *testing.T) *rig {
	r := newRig(t, nil)
	r.serve()
	r.learn()
	return r
}

// learn asks for the whole answer while nothing is broken.
func (r *rig) learn() {
	r.t.Helper()
	response := r.ask("h2")
	if response.status != 200 || response.end != endComplete {
		r.t.Fatalf("before any fault: %s %.300s", &response, response.body)
	}
	if !bytes.Contains(response.body, []byte(sharedMark)) || len(response.body) < 100_000 || leaks(string(response.seen), r.canaries()) != nil {
		r.t.Fatalf("the answer is of no use for this test: %.2000s", response.body)
	}
	r.whole = response.body
}

// line breaks something over each protocol and returns the line of the table.
func (r *rig) line(t *testing.T, f failure) string {
	results, out, healthy := map[string]string{}, 0, "yes"
	for _, protocol := range protocols {
		t.Run(f.what+"/"+f.when+"/"+protocol, func(t *testing.T) {
			response := f.exchange(r, protocol)
			results[protocol] = r.judge(t, f.want, &response)
			r.Graph.ClearFaults()
			if f.repair != nil {
				f.repair(r)
			}
			after := r.ask(protocol)
			if after.status != 200 || after.end != endComplete || !bytes.Equal(after.body, r.whole) {
				t.Errorf("the next request got %s %.300s", &after, after.body)
				healthy = "no"
			}
			_, metrics := get(t, r.admin+"/metrics")
			found := leaks(strings.Join([]string{string(response.seen), string(response.body), string(after.seen), r.logs.String(), r.access.String(), metrics}, "\n"), r.canaries())
			if found != nil {
				t.Errorf("leaked: %v", found)
				out += len(found)
			}
		})
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %d | %s |\n", f.what, f.when, results["h1"], results["h2"], out, healthy)
}

// judge holds a response against what it may be and says it in a few words.
func (r *rig) judge(t *testing.T, want ending, response *wireResponse) string {
	t.Helper()
	var got ending
	clean := !bytes.Contains(response.seen, []byte(sharedMark)) && !bytes.Contains(response.body, []byte(sharedMark))
	switch {
	case response.status >= 400 && response.end == endComplete && response.code() != "" && clean && len(response.trailer) == 0:
		got = turnedAway
	case response.status == 200 && response.end == endCut && len(response.body) > 0 && r.isPrefix(response.body):
		got = cutOff
	case want == refusedOrCut && (response.status == 200 || response.status == 0) && response.end == endCut && len(response.body) == 0:
		got = cutOff // before the first byte of the body
	case response.status == 200 && response.end == endComplete && bytes.Equal(response.body, r.whole):
		got = served
	case response.status == 204 && response.end == endComplete && len(response.body) == 0:
		got = noContent
	}
	if got != want && !(want == refusedOrCut && (got == turnedAway || got == cutOff)) {
		t.Errorf("got %s (%d bytes: %.300s), want %s", response, len(response.body), response.body, want)
	}
	if want == refusedOrCut || want == cutOff {
		return string(want)
	}
	return response.String()
}
