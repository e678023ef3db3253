package psoxy

import (
	"regexp"
	"strings"
	"testing"
)

func TestTranslate(t *testing.T) {
	for _, v := range []struct {
		java string
		use  use
		want string
	}{
		{`[^.]+\.zoom\.us`, find, `[^.]+\.zoom\.us`},
		{`a.c`, find, `a[^\n\r\x{85}\x{2028}\x{2029}]c`},
		{`(?s)a.c`, find, `a(?s:.)c`},
		{`\s+\S`, find, `[\t-\r ]+[^\t-\r ]`},
		{`\d\w\W`, find, `[0-9][0-9A-Z_a-z][^0-9A-Z_a-z]`},
		{`(?i)ks1`, find, `[Kk][Ss]1`},
		{`a(?i)b`, find, `a[Bb]`},
		{`a(?i:b)c`, find, `a(?:[Bb])c`},
		{`(a(?i)b|c)d`, find, `(?:a[Bb]|[Cc])d`},
		{`(?i)[a-c]`, find, `[A-Ca-c]`},
		{`(?i)[^k]`, find, `[^Kk]`},
		{`^x$`, whole, `^x\z`},
		{`^(.*)$`, group, `^([^\n\r\x{85}\x{2028}\x{2029}]*)(?:\r\n|[\n\r\x{85}\x{2028}\x{2029}])?\z`},
		{`(a)(b)`, group, `(a)(?:b)`},
		{`(a)(b)`, find, `(?:a)(?:b)`},
		{`(?<name>a)`, wholeGroup, `(a)`},
		{`x{2,3}?y{4,}z*?`, find, `x{2,3}?y{4,}z*?`},
		{`[/[a-z0-9]+]`, find, `[+/-9a-z]`},
		{`[a&&b]`, find, "&& in a class"},
		{`\Qa.b\E.`, find, `a\.b[^\n\r\x{85}\x{2028}\x{2029}]`},
		{`\p{Alpha}\P{Digit}`, find, `[A-Za-z][^0-9]`},
		{`\x41\u0042\t`, find, `AB\t`},
		{`(?)a`, find, `a`},
		{`a\b`, find, `a\b`},
		{`[]a]`, find, `[\]a]`},
		{`[\w-.]`, find, `[\-.0-9A-Z_a-z]`},

		{`a(?=b)`, find, "lookaround"},
		{`(?<!a)b`, find, "lookaround"},
		{`(?>a)b`, find, "atomic"},
		{`a*+`, find, "possessive"},
		{`(a)\1`, find, "backreferences"},
		{`(?<n>a)\k<n>`, find, "backreferences"},
		{`(?m)^a`, find, "flag m"},
		{`(?x)a`, find, "flag x"},
		{`a$`, find, "a $ that also stands before a last line break"},
		{`a$b`, group, "a $ that is not at the end"},
		{`(a$)`, group, "a $ that is not at the end"},
		{`a(`, find, "without"},
		{`a)`, find, "without"},
		{`[a`, find, "without"},
		{`*a`, find, "nothing to repeat"},
		{`a{1001}`, find, "no repetition"},
		{`\p{InGreek}`, find, "not supported"},
		{`\X`, find, "not supported"},
		{`a\`, find, "backslash"},
	} {
		got, err := translate(v.java, v.use)
		if err != nil {
			if !strings.Contains(err.Error(), v.want) {
				t.Errorf("%s: %v, want %s", v.java, err, v.want)
			}
			continue
		}
		if got != v.want {
			t.Errorf("%s: got %s, want %s", v.java, got, v.want)
		}
	}
}

// What Java finds was worked out from the documentation of java.util.regex.Pattern.
func TestTranslatedFindsWhatJavaFinds(t *testing.T) {
	for _, v := range []struct {
		java, text string
		use        use
		want       string // what is found, or group 1
	}{
		{`(?i)^smtp:(.*)$`, "SMTP:a@b.co", group, "a@b.co"},
		{`(?i)^smtp:(.*)$`, "smtp:a@b.co\n", group, "a@b.co"},
		{`(?i)^smtp:(.*)$`, "smtp:a@b.co\r\n", group, "a@b.co"},
		{`(?i)^smtp:(.*)$`, "smtp:a@b.co\n\n", group, ""},
		{`(?i)^smtp:(.*)$`, "smtp:a\u2028b", group, ""},
		{`(?i)^smtp:(.*)$`, "\u017fmtp:a", group, ""}, // ſ folds to s in RE2, not in Java
		{`(?i)pwd=[^&]*`, "a?PWD=1\n2&b", find, "PWD=1\n2"},
		{`\s+`, "a\u000b b", find, "\u000b "},
		{`\s`, "a\u00a0b", find, ""},
		{`.+`, "\u0085ab\rc", find, "ab"},
	} {
		pattern, err := translate(v.java, v.use)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if found := regexp.MustCompile(pattern).FindStringSubmatch(v.text); found != nil {
			got = found[len(found)-1]
		}
		if got != v.want {
			t.Errorf("%s on %q: found %q, want %q", v.java, v.text, got, v.want)
		}
	}
}
