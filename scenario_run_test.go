package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
)

// scenarioOrigin is where page links lead; the runner sends them to the driver's
// address.
const scenarioOrigin = "https://sidecar.example"

// scenarioResponse is what a client got.
type scenarioResponse struct {
	status  int
	header  http.Header
	trailer http.Header
	body    []byte
	// cut says that the body broke off.
	cut bool
	// record is the decision record.
	record map[string]any
}

// code is the code of an error answer, "" if the body is none.
func (r scenarioResponse) code() string {
	var e struct {
		Error struct{ Code, Message string } `json:"error"`
	}
	if json.Unmarshal(r.body, &e) != nil {
		return ""
	}
	return e.Error.Code
}

// scenarioDriver carries requests through a processor to an upstream.
type scenarioDriver interface {
	upstream() *scenarioUpstream
	// deliveries are the ways in which bodies of this size are to be tried.
	deliveries(size int) []scenarioDelivery
	send(t *testing.T, r scenarioRequest) scenarioResponse
}

// scenarioRun is one scenario on its way through one driver.
type scenarioRun struct {
	*scenario
	t      *testing.T
	driver scenarioDriver
	answer scenarioAnswer
	caller string
	link   string // the sealed token that was remembered
	last   []scenarioExchange
	// outcomes tell what each send came to, to compare drivers by.
	outcomes []string
	// served are the endpoints of which a client got a sanitized response.
	served []string
	// seen is all that clients got.
	seen bytes.Buffer
}

// scenarioExchange is one delivery of the last send.
type scenarioExchange struct {
	delivery string
	scenarioResponse
	arrived []string // upstream
}

// run carries out all steps; a step that fails ends it.
func (s *scenario) run(t *testing.T, d scenarioDriver) *scenarioRun {
	r := &scenarioRun{scenario: s, t: t, driver: d, answer: scenarioAnswer{status: 500, cut: -1}}
	for _, step := range s.steps {
		if err := r.step(step); err != nil {
			t.Errorf("%s:%d: %s: %v", s.path, step.line, step.name, err)
			return r
		}
	}
	return r
}

func (r *scenarioRun) step(s scenarioStep) (err error) {
	switch s.name {
	case "caller":
		r.caller = strings.TrimPrefix(s.args[0], "nobody")
		return nil
	case "upstream":
		r.answer, err = r.parseUpstream(s.args)
		return err
	case "upstream-trailer":
		h, err := parseHeader(s.args[0])
		r.answer.trailers = append(r.answer.trailers, h)
		return err
	case "upstream-reset":
		r.answer.cut, err = strconv.Atoi(s.args[0])
		return err
	case "upstream-short":
		r.answer.short, err = strconv.Atoi(s.args[0])
		return err
	case "upstream-more":
		r.answer.more, err = r.file(s.args[0])
		return err
	case "send":
		text, err := r.file(s.args[0])
		if err != nil {
			return err
		}
		return r.sendText(string(text))
	case "follow":
		_, target, err := r.pageLink(s.args[0])
		if err != nil {
			return err
		}
		return r.sendText("GET " + target)
	}
	if len(r.last) == 0 {
		return fmt.Errorf("nothing is sent yet")
	}
	if s.name == "remember" {
		r.link, _, err = r.pageLink(s.args[0])
		return err
	}
	for _, x := range r.last {
		if err := r.expect(s, x); err != nil {
			return fmt.Errorf("%w\ndelivery: %s\ngot %d, cut %v\n%s", err, x.delivery, x.status, x.cut, x.body)
		}
	}
	return nil
}

// sendText sends a request once for each delivery, or only once if it does not
// reach the upstream.
func (r *scenarioRun) sendText(text string) error {
	text = strings.NewReplacer("{link}", r.link, "{changed link}", changed(r.link)).Replace(text)
	request, err := parseRequest(text, r.caller)
	if err != nil {
		return err
	}
	r.last = nil
	for _, delivery := range r.driver.deliveries(len(r.answer.body)) {
		a := r.answer
		a.split = delivery.split
		r.driver.upstream().tell(a)
		x := scenarioExchange{delivery: delivery.name, scenarioResponse: r.driver.send(r.t, request)}
		x.arrived = r.driver.upstream().requests()
		r.last = append(r.last, x)
		fmt.Fprintf(&r.seen, "%v\n%v\n%s\n", x.header, x.trailer, x.body)
		if err := x.checkRecord(request.method); err != nil && a.cut < 0 {
			return fmt.Errorf("%w\ndelivery: %s\nrecord: %v\ngot %d, cut %v\n%s", err, x.delivery, x.record, x.status, x.cut, x.body)
		}
		if len(x.arrived) == 0 {
			break
		}
	}
	if x := r.last[0]; x.status == 200 && x.record["outcome"] == extproc.OutcomeSanitized {
		r.served = append(r.served, fmt.Sprint(x.record["connector"], "/", x.record["endpoint"]))
	}
	r.outcomes = append(r.outcomes, r.outcome())
	return nil
}

// checkRecord holds every record against what the client got.
func (x *scenarioExchange) checkRecord(method string) error {
	switch code := x.code(); {
	case x.record == nil:
		return fmt.Errorf("there is no decision record")
	case x.cut:
		return nil
	case x.record["status"] != float64(x.status):
		return fmt.Errorf("the record has another status")
	case method != "HEAD" && x.record["outcome"] != extproc.OutcomeSanitized && x.record["code"] != code:
		return fmt.Errorf("the record has another code")
	case x.record["outcome"] == extproc.OutcomeDenied && len(x.arrived) > 0:
		return fmt.Errorf("denied, but the upstream was called")
	case x.record["outcome"] != extproc.OutcomeDenied && len(x.arrived) != 1:
		return fmt.Errorf("the upstream was called %d times", len(x.arrived))
	}
	return nil
}

// outcome is what all deliveries of the last send came to; what differs between
// drivers by nature is left out.
func (r *scenarioRun) outcome() string {
	x := r.last[0]
	if r.answer.cut >= 0 || x.cut || x.record["outcome"] == extproc.OutcomeRefused && x.status == 502 {
		return "broken"
	}
	var names []string
	for name := range x.header {
		switch name {
		// Made by the connection, or by Envoy's compressor.
		case "Date", "Content-Length", "Transfer-Encoding", "Connection", "Vary":
		default:
			names = append(names, fmt.Sprint(name, x.header[name]))
		}
	}
	slices.Sort(names)
	return fmt.Sprintf("%d %v\n%s\nupstream: %v", x.status, names, x.body, x.arrived)
}

// pageLink returns the target of a page or delta link of the last response and
// the token in it.
func (r *scenarioRun) pageLink(member string) (token, target string, err error) {
	if len(r.last) == 0 {
		return "", "", fmt.Errorf("nothing is sent yet")
	}
	var body map[string]any
	if err := json.Unmarshal(r.last[0].body, &body); err != nil {
		return "", "", err
	}
	link, _ := body[member].(string)
	rest, ok := strings.CutPrefix(link, scenarioOrigin+"/")
	_, token, found := strings.Cut(rest, "?$skiptoken=")
	if !found {
		_, token, found = strings.Cut(rest, "?$deltatoken=")
	}
	if !ok || !found || !strings.HasPrefix(token, "gv~") {
		return "", "", fmt.Errorf("%q is no page link of this sidecar", link)
	}
	return token, "/" + rest, nil
}

// changed is a token with one character in its middle replaced.
func changed(token string) string {
	if token == "" {
		return ""
	}
	i := len(token) / 2
	c := "A"
	if token[i] == 'A' {
		c = "B"
	}
	return token[:i] + c + token[i+1:]
}

// checkSeen searches what clients saw for canaries and, where ids are tokens, for
// the id of a user.
func (r *scenarioRun) checkSeen() error {
	secrets := []string{canary}
	if r.options["ids"] != "clear" {
		secrets = append(secrets, alice)
	}
	if found := leaks(r.seen.String(), secrets); len(found) > 0 {
		return fmt.Errorf("%s: clients saw %v", r.path, found)
	}
	return nil
}
