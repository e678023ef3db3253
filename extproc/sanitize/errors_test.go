package sanitize

import (
	"strings"
	"testing"
)

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		err  Error
		want string
	}{
		{Error{CodeSyntax, "", 0}, `rewriting json body: json_syntax at byte 0`},
		{Error{CodeUTF8, "/value/3/a~1b", 1234}, `rewriting json body: json_utf8 at byte 1234 in "/value/3/a~1b"`},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// An error names places by the plan, never by the body.
func TestErrorHoldsNothingOfTheBody(t *testing.T) {
	p := newPlan(nObject(fields{"a/b~c": nArray(nObject(fields{"k": nKeep()})), "d": nDrop(), "h": nHash()}))
	for in, pointer := range map[string]string{
		`{"a/b~c":[{},{"k":"canary\q"}]}`:          "/a~1b~0c/1/k",
		`{"a/b~c":[{},{"canary":{"canary":[tru,`:   "/a~1b~0c/1/*/*/0",
		`{"d":{"canary":[1,"canary\q"]}}`:          "/d/*/1",
		`{"canary":1,"canary":2}`:                  "/*",
		`{"h":"canary` + "\xff" + `"}`:             "/h",
		`{"h":"` + strings.Repeat("canary", 20000): "/h",
		`{"canary` + "\n" + `":1}`:                 "",
		`{"k":1}canary`:                            "",
	} {
		d := deliver(t, New(Limits{}), p, []byte(in))
		if d.err == nil {
			t.Errorf("%.40q passed", in)
			continue
		}
		if d.err.Pointer != pointer {
			t.Errorf("%.40q: pointer %q, want %q", in, d.err.Pointer, pointer)
		}
		if strings.Contains(d.err.Error(), "canary") {
			t.Errorf("%.40q: %v holds bytes of the body", in, d.err)
		}
	}
}
