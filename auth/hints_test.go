package auth

import (
	"strings"
	"testing"
)

func TestHintIsTheClosestOne(t *testing.T) {
	for _, test := range []struct {
		failure *Error
		want    string // a part of the hint
	}{
		{&Error{Code: CodeRejected, AADSTS: 700016}, "not the object id"},
		{&Error{Code: CodeRejected, AADSTS: 700213}, "system:serviceaccount:NAMESPACE:NAME"},
		{&Error{Code: CodeRejected, AADSTS: 123456789}, "login.microsoftonline.com/error"},
		{&Error{Code: CodeRejected}, "login.microsoftonline.com/error"},
		{&Error{Code: CodeUnreachable, Detail: "tls"}, "tokens.ca_file"},
		{&Error{Code: CodeUnreachable, Detail: "a word of tomorrow"}, "firewall"},
		{&Error{Code: CodeThrottled}, "restart"},
		// A number belongs to refusals alone: 700016 in another failure is a coincidence.
		{&Error{Code: CodeUnavailable, AADSTS: 700016}, "Entra failed"},
	} {
		if got := Hint(test.failure); !strings.Contains(got, test.want) {
			t.Errorf("%v: hint %q lacks %q", test.failure, got, test.want)
		}
	}
	if got := Hint(nil) + Hint(&Error{Code: "of_another_package"}); got != "" {
		t.Errorf("a hint out of nothing: %q", got)
	}
}

// Hints stand in log lines: two or three short sentences, each ended, and nothing to be filled in.
func TestHintsAreSentences(t *testing.T) {
	seen := map[int]bool{}
	for _, h := range hints {
		for _, text := range []string{h.means, h.next} {
			if !strings.HasSuffix(text, ".") || strings.ContainsAny(text, "%|\n") || len(text) > 220 {
				t.Errorf("%s %v %v: %q", h.code, h.details, h.numbers, text)
			}
		}
		for _, number := range h.numbers {
			if seen[number] || h.code != CodeRejected {
				t.Errorf("AADSTS%d has two hints, or one that is never found", number)
			}
			seen[number] = true
		}
	}
	if len(seen) < 30 {
		t.Errorf("%d numbers have hints", len(seen))
	}
}
