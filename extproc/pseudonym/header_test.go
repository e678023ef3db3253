package pseudonym

import (
	"encoding/json"
	"strings"
	"testing"
)

// Outputs of Psoxy 0.6.9 in JSON form; the tokens of the other form have the same hashes.
func TestEmailHeader(t *testing.T) {
	const (
		alice = "UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMk@acme.com"
		bob   = "-U7WKf4bQgfCSqtg28kpp672BXIc8kZN6Gmtg2iKn14@acme.com"
		ab    = "Vbo7MFZYgCCRdj13ayv7ZMbxKdAi2lWmL8vHgluFZeg@acme.com"
		a     = "zxkOFi7XrGzz5M1iuxwI-QBBRZ10ZkbZ5LP8cNtfC6A@b.co"
		c     = "6Iv2coEv_KGdE7kBLMhQ_uiV79APK20l1_7TL90U0bs@d.co"
		no    = "not a list"
	)
	for value, want := range map[string]string{
		"":                                     "",
		" \t":                                  "",
		"alice@acme.com":                       alice,
		"Alice <alice@acme.com>, bob@acme.com": alice + " " + bob,
		"alice@acme.com , <bob@acme.com> ":     alice + " " + bob,
		`"A, B" <ab@acme.com>`:                 ab,
		"Group: a@b.co, c@d.co;":               a + " " + c,
		"Group:a@b.co;,Other: C <c@d.co> ;":    a + " " + c,
		"a@b.co, Group: c@d.co ; (end)":        a + " " + c,
		"undisclosed-recipients:;":             "",
		"undisclosed-recipients: ;":            "",
		"a@b.co (one, two), c@d.co":            a + " " + c,
		"a@b.co, Nobody:;":                     a,
		"not an email":                         no,
		"alice@acme.com,,bob@acme.com":         no,
		"alice@acme.com,":                      no,
		",alice@acme.com":                      no,
		"alice@acme.com; bob@acme.com":         no,
		"alice@acme.com bob@acme.com":          no,
		"Group: a@b.co, c@d.co":                no,
		"Group: a@b.co,;":                      no,
		"Group: Inner: a@b.co;;":               no,
		":a@b.co;":                             no,
		"Group: a@b.co;;":                      no,
		"Group":                                no,
		"a@localhost":                          no,
		"Alice <alice@acme.com":                no,
	} {
		var tokens string
		objects := "["
		for i, address := range strings.Fields(want) {
			hash, domain, _ := strings.Cut(address, "@")
			if i > 0 {
				tokens += ","
				objects += ","
			}
			tokens += "t~" + address
			objects += `{"domain":"` + domain + `","hash":"` + hash + `"}`
		}
		objects += "]"
		if Blank([]byte(value)) {
			objects = ""
		}
		ok := want != no
		if !ok {
			tokens, objects = "", ""
		}
		if got, gotOK := codec(t, Config{}).AppendEmailHeader(nil, []byte(value), false); string(got) != tokens || gotOK != ok {
			t.Errorf("%q\n got %s, %v\nwant %s, %v", value, got, gotOK, tokens, ok)
		}
		got, gotOK := codec(t, Config{}).AppendEmailHeader(nil, []byte(value), true)
		if string(got) != objects || gotOK != ok {
			t.Errorf("%q\n got %s, %v\nwant %s, %v", value, got, gotOK, objects, ok)
		}
		if objects != "" && !json.Valid(got) {
			t.Errorf("%q: not JSON", value)
		}
	}
}
