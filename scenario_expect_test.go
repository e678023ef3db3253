package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// expect holds one delivery of the last send against a command.
func (r *scenarioRun) expect(s scenarioStep, x scenarioExchange) error {
	switch s.name {
	case "status":
		return x.expectStatus(s.args)
	case "broken":
		return x.expectBroken(s.args[0], s.args[1])
	case "broken-off":
		if !x.cut && x.status < 500 {
			return fmt.Errorf("the response is complete, with status %d", x.status)
		}
		return nil
	case "cmp":
		if s.args[0] != "response" {
			return fmt.Errorf("only the response can be compared, not %s", s.args[0])
		}
		if x.cut {
			return fmt.Errorf("the response broke off")
		}
		return r.compareJSON(s.args[1], x.body)
	case "header":
		values, there := x.header[http.CanonicalHeaderKey(s.args[0])]
		if s.not {
			if there {
				return fmt.Errorf("it is there: %v", values)
			}
			return nil
		}
		if len(s.args) != 2 || len(values) != 1 || values[0] != s.args[1] {
			return fmt.Errorf("it is %q", values)
		}
		return nil
	case "record":
		return expectRecord(x.record, s.args)
	case "upstream-called":
		if (len(x.arrived) == 0) != s.not {
			return fmt.Errorf("the upstream was called %d times", len(x.arrived))
		}
		return nil
	case "upstream-request":
		if len(x.arrived) != 1 {
			return fmt.Errorf("the upstream was called %d times", len(x.arrived))
		}
		return r.compareText(s.args[0], x.arrived[0])
	}
	return fmt.Errorf("not carried out")
}

// expectStatus is about a complete answer; a code says that it is an error in
// the API's shape, with a sentence.
func (x scenarioExchange) expectStatus(args []string) error {
	if strconv.Itoa(x.status) != args[0] {
		return fmt.Errorf("the status is %d, want %s", x.status, args[0])
	}
	if x.cut {
		return fmt.Errorf("the response broke off")
	}
	if len(args) == 1 {
		return nil
	}
	if x.code() != args[1] {
		return fmt.Errorf("the code is %q, want %s", x.code(), args[1])
	}
	var e map[string]map[string]string
	if err := json.Unmarshal(x.body, &e); err != nil || len(e) != 1 || len(e["error"]) != 2 || e["error"]["message"] == "" {
		return fmt.Errorf("the error is not of the API's shape")
	}
	if got := x.header.Get("Content-Type"); got != "application/json" {
		return fmt.Errorf("the content type of the error is %q", got)
	}
	return nil
}

// expectBroken is about a response that turned bad: a clean error if nothing had
// left, else one that visibly broke off.
func (x scenarioExchange) expectBroken(status, code string) error {
	if x.record["code"] != code {
		return fmt.Errorf("the record has the code %v, want %s", x.record["code"], code)
	}
	if x.cut {
		return nil
	}
	return x.expectStatus([]string{status, code})
}

// expectRecord compares a member of the record: NAME VALUE, or NAME POINTER
// COUNT where the member is a table.
func expectRecord(record map[string]any, args []string) error {
	value := record[args[0]]
	if len(args) == 3 {
		table, _ := value.(map[string]any)
		value, args = table[args[1]], args[1:]
	}
	text := fmt.Sprint(value)
	if list, ok := value.([]any); ok {
		text = strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
	}
	if text != args[1] {
		return fmt.Errorf("%s is %s, want %s\nrecord: %v", args[0], text, args[1], record)
	}
	return nil
}

// compareJSON compares a body with a section byte by byte, but for the white
// space outside strings, which the section has for its readers. The body itself
// must have none.
func (r *scenarioRun) compareJSON(name string, body []byte) error {
	text, err := r.file(name)
	if err != nil {
		return err
	}
	var want, got bytes.Buffer
	if err := json.Compact(&got, body); err != nil || got.String() != string(body) {
		return fmt.Errorf("the body is not compact JSON, %v", err)
	}
	if err := json.Compact(&want, text); err == nil && want.String() == string(body) {
		return nil
	}
	if *update {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, body, "", "  "); err != nil {
			return err
		}
		return r.setFile(name, append(pretty.Bytes(), '\n'))
	}
	return fmt.Errorf("the body differs from %s; go test -run TestScenarios -update . rewrites it\nwant %s", name, want.String())
}

func (r *scenarioRun) compareText(name, got string) error {
	text, err := r.file(name)
	if err != nil || string(text) == got {
		return err
	}
	if *update {
		return r.setFile(name, []byte(got))
	}
	return fmt.Errorf("differs from %s; go test -run TestScenarios -update . rewrites it\ngot\n%s", name, got)
}
