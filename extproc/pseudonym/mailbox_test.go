package pseudonym

import (
	"strings"
	"testing"
)

// Canonical texts by grammar; an empty want means that the value is no mailbox.
func TestMailbox(t *testing.T) {
	label63, label64 := strings.Repeat("x", 63), strings.Repeat("x", 64)
	for _, v := range []struct{ in, canonical, domain string }{
		{"a@b.co", "a@b.co", "b.co"},
		{"A.B@B.CO", "a.b@b.co", "B.CO"},
		{"\t a@b.co\r\n\t", "a@b.co", "b.co"},
		{"\r\n a@b.co", "a@b.co", "b.co"},
		{"a@b.co\r\n", "", ""},
		{"a@b.co\n", "", ""},
		{"\na@b.co", "", ""},
		{"\u00a0a@b.co", "", ""},
		{"a @ b.co", "a@b.co", "b.co"},
		{"(c)a(c)@(c)b.co(c)", "a@b.co", "b.co"},
		{`(a \) b) a@b.co`, "a@b.co", "b.co"},
		{"((c)) a@b.co", "", ""},
		{"(c a@b.co", "", ""},
		{"a(x)b@c.co", "", ""},
		{"a@b.co (", "", ""},
		{"a b@c.co", "", ""},

		{"!#$%&'*+-/=?^_`{|}~@b.co", "!#$%&'*@b.co", "b.co"},
		{"+tag@acme.com", "@acme.com", "acme.com"},
		{".a@b.co", "", ""},
		{"a.@b.co", "", ""},
		{"a..b@c.co", "", ""},
		{"@b.co", "", ""},
		{`"alice"@x.co`, "alice@x.co", "x.co"},
		{`"a.b+c"@x.co`, "a.b@x.co", "x.co"},
		{`"a b+C"@x.co`, `"a b@x.co`, "x.co"},
		{`"A B"@x.co`, `"a b"@x.co`, "x.co"},
		{`"a\"b"@x.co`, `"a\"b"@x.co`, "x.co"},
		{`""@x.co`, `""@x.co`, "x.co"},
		{`"a..b"@x.co`, `"a..b"@x.co`, "x.co"},
		{`"ä"@x.co`, "", ""},
		{"\"a\tb\"@x.co", "", ""},
		{`"a@x.co`, "", ""},
		{`"a\`, "", ""},

		{"a@b", "", ""},
		{"a@b.c", "", ""},
		{"a@b.co.", "", ""},
		{"a@.b.co", "", ""},
		{"a@b..co", "", ""},
		{"a@-b.co", "", ""},
		{"a@b-.co", "", ""},
		{"a@b_c.co", "", ""},
		{"a@1.co", "a@1.co", "1.co"},
		{"a@b.c0", "", ""},
		{"a@b.xn--p1ai", "", ""},
		{"a@xn--cme-pla.com", "a@xn--cme-pla.com", "xn--cme-pla.com"},
		{"a@é.co", "", ""},
		{"a@[10.0.0.1]", "", ""},
		{"a@" + label63 + ".co", "a@" + label63 + ".co", label63 + ".co"},
		{"a@" + label64 + ".co", "", ""},
		{"a@b." + label63[:26], "a@b." + label63[:26], "b." + label63[:26]},
		{"a@b." + label63[:27], "", ""},

		{"<a@b.co>", "a@b.co", "b.co"},
		{" < a @ b.co > ", "a@b.co", "b.co"},
		{"Bob<a@b.co>", "a@b.co", "b.co"},
		{"Bob Smith <a@b.co> (work)", "a@b.co", "b.co"},
		{"Bob (work) <a@b.co>", "a@b.co", "b.co"},
		{`"Smith, \"B.\"" Bob <a@b.co>`, "a@b.co", "b.co"},
		{`"Müller" <a@b.co>`, "a@b.co", "b.co"},
		{`"\ü" <a@b.co>`, "a@b.co", "b.co"},
		{"Müller <a@b.co>", "", ""},
		{"John Q. Public <a@b.co>", "", ""},
		{`Bob"Smith" <a@b.co>`, "", ""},
		{"Bob <a@b.co", "", ""},
		{"Bob a@b.co>", "", ""},
		{"Bob <a@b.co> x", "", ""},
		{"Bob <<a@b.co>>", "", ""},
		{"a@b.co <a@b.co>", "", ""},

		{"a@b.co,c@d.co", "", ""},
		{"a@b.co;c@d.co", "", ""},
		{"a@b.co, ", "", ""},
		{"mailto:a@b.co", "", ""},
		{"smtp:a@b.co", "", ""},
		{"a@b@c.co", "", ""},
		{"user_x.co#EXT#@tenant.onmicrosoft.com", "user_x.co#ext#@tenant.onmicrosoft.com", "tenant.onmicrosoft.com"},
		{"@", "", ""},
		{"", "", ""},
	} {
		canonical, domain := "", ""
		if m := parseMailbox([]byte(v.in)); m.found() {
			canonical, domain = string(m.appendCanonical(nil, false)), string(m.domain)
		}
		if canonical != v.canonical || domain != v.domain {
			t.Errorf("%q: got %q with domain %q, want %q with %q", v.in, canonical, domain, v.canonical, v.domain)
		}
	}
}

func TestBlank(t *testing.T) {
	for _, blank := range []string{
		"", " ", "\t\n\v\f\r", "\x1c\x1d\x1e\x1f", "\u1680", "\u2000\u2001\u2002\u2003\u2004\u2005\u2006",
		"\u2008\u2009\u200a", "\u2028\u2029", "\u205f", "\u3000",
	} {
		if !Blank([]byte(blank)) {
			t.Errorf("%+q is not blank", blank)
		}
	}
	for _, text := range []string{
		"a", " a ", "\x00", "\b", "\x0e", "\x1b", "\x7f", "\u0085", "\u00a0", "\u2007", "\u202f", "\u180e", "\u200b",
		"\ufeff", "\ufffd", " \xa0", "\xff", "\xe3\x80",
	} {
		if Blank([]byte(text)) {
			t.Errorf("%+q is blank", text)
		}
	}
}
