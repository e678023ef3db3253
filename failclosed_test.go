package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
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

Limits in these runs: timeouts.processor 2s, timeouts.connect 1s, timeouts.idle 3s, drain_timeout 300ms, request_timeout 1s.
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
			if parts[i].lines.Len() == 0 {
				return // -run chose some parts only
			}
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

	token, err := r.Token(directoryClient)
	r.check(err)
	request, err := http.NewRequest(http.MethodGet, r.GraphURL()+failTarget, nil)
	r.check(err)
	request.Header.Set("Authorization", "Bearer "+token)
	original, err := r.Client().Do(request)
	r.check(err)
	defer original.Body.Close()
	size, err := io.Copy(io.Discard, original.Body)
	r.check(err)
	r.originalSize = int(size)
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
			found := leaks(strings.Join([]string{string(response.seen), string(response.body), string(after.seen), r.newLogs(), metrics}, "\n"), r.canaries())
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
	got := endingOf(response, r.whole)
	t.Logf("%s, %d bytes: %s", response, len(response.body), got)
	switch {
	case got == want && want != cutOff:
		return response.String()
	case got == want && len(response.body) > 0:
		return string(want)
	case want == refusedOrCut && (got == turnedAway || got == cutOff):
		return string(want)
	}
	t.Errorf("got %s (%d bytes: %.300s), want %s", response, len(response.body), response.body, want)
	return response.String()
}

// endingOf is what a client got, or "" for what none may get. It does not look
// for personal values.
func endingOf(response *wireResponse, whole []byte) ending {
	var head bytes.Buffer
	_ = response.header.Write(&head) // to memory
	if len(response.trailer) > 0 || strings.Contains(head.String(), sharedMark) {
		return ""
	}
	marked := bytes.Contains(response.seen, []byte(sharedMark)) || bytes.Contains(response.body, []byte(sharedMark))
	part := len(response.body) < len(whole) && bytes.HasPrefix(whole, response.body)
	switch {
	case response.end == endCut:
		if part && (response.status == 200 || response.status == 0) {
			return cutOff
		}
	case response.end != endComplete:
	case response.status == 200 && bytes.Equal(response.body, whole):
		return served
	case response.status == 204 && len(response.body) == 0:
		return noContent
	case response.status >= 400 && response.code() != "" && !marked:
		return turnedAway
	}
	return ""
}

// TestEndings holds endingOf against what a leak or a loss would look like.
func TestEndings(t *testing.T) {
	whole := []byte(`{"value":[{"department":"` + sharedMark + `"}]}`)
	refusal := []byte(`{"error":{"code":"badGateway","message":"Nothing was released."}}`)
	quoting := []byte(`{"error":{"code":"badGateway","message":"` + sharedMark + `"}}`)
	marks := http.Header{"X-Note": {sharedMark}}
	for _, test := range []struct {
		name     string
		response wireResponse
		want     ending
	}{
		{"whole", wireResponse{status: 200, body: whole, end: endComplete}, served},
		{"whole, marked header", wireResponse{status: 200, header: marks, body: whole, end: endComplete}, ""},
		{"whole, trailer", wireResponse{status: 200, body: whole, trailer: http.Header{"X-Sum": {"1"}}, end: endComplete}, ""},
		{"whole, ended by close", wireResponse{status: 200, body: whole, end: endUnframed}, ""},
		{"whole, cut", wireResponse{status: 200, body: whole, end: endCut}, ""},
		{"part, cut", wireResponse{status: 200, body: whole[:20], end: endCut}, cutOff},
		{"part, clean end", wireResponse{status: 200, body: whole[:20], end: endComplete}, ""},
		{"part, ended by close", wireResponse{status: 200, body: whole[:20], end: endUnframed}, ""},
		{"part, timeout", wireResponse{status: 200, body: whole[:20], end: endTimeout}, ""},
		{"another part, cut", wireResponse{status: 200, body: []byte(`{"value":[{"id"`), end: endCut}, ""},
		{"nothing, cut", wireResponse{end: endCut}, cutOff},
		{"empty", wireResponse{status: 200, end: endComplete}, ""},
		{"no content", wireResponse{status: 204, end: endComplete}, noContent},
		{"refusal", wireResponse{status: 502, body: refusal, end: endComplete}, turnedAway},
		{"refusal with 200", wireResponse{status: 200, body: refusal, end: endComplete}, ""},
		{"refusal, cut", wireResponse{status: 502, body: refusal[:20], end: endCut}, ""},
		{"refusal without a shape", wireResponse{status: 502, body: []byte("bad gateway"), end: endComplete}, ""},
		{"refusal that quotes", wireResponse{status: 502, body: quoting, end: endComplete}, ""},
		{"refusal, marks on the wire", wireResponse{status: 502, body: refusal, seen: quoting, end: endComplete}, ""},
	} {
		if got := endingOf(&test.response, whole); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
