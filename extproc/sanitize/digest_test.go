package sanitize

import (
	"strconv"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/plan"
)

// Every text is counted as the oracle counts it, read whole, by units, escaped.
func TestDigestCounts(t *testing.T) {
	for _, tt := range []struct {
		text          string
		length, words int
	}{
		{"", 0, 0}, {" ", 1, 1}, {"\t\n", 2, 1}, {"a", 1, 1}, {"Hello big world", 15, 3}, {" a  b\nc ", 8, 3},
		{"😀 x", 4, 2}, {"a\u00a0b c", 5, 2}, {"é", 1, 1}, {"a\vb\fc\rd", 7, 4}, {"a\u2028b", 3, 1}, {"\u3000", 1, 1},
		{"\x01", 1, 1}, {"\x01 a", 3, 1}, {"a \x01", 3, 1}, {"a \x01 b", 5, 3}, {"a\x01 b", 4, 2}, {"a \x01b", 4, 2}, {"\x01a \x02 \x03", 6, 1}, {"a \x01 \x02", 5, 1},
		{"\x01 \x02", 3, 1}, {"a \x1f\x1f b \x00", 8, 3}, {"\ufffd", 1, 1}, {`"\/`, 3, 1}, {`a "b" \ /`, 9, 4}, {"\b a\b b", 6, 2},
	} {
		want := `{"length":` + strconv.Itoa(tt.length) + `,"word_count":` + strconv.Itoa(tt.words) + `}`
		if length, words := textDigest(tt.text); length != strconv.Itoa(tt.length) || words != strconv.Itoa(tt.words) {
			t.Errorf("the oracle counts %s, %s in %q, want %s", length, words, tt.text, want)
		}
		var escaped strings.Builder
		for _, r := range tt.text {
			if r < 0x10000 {
				escaped.WriteString(`\u` + strconv.FormatInt(0x10000+int64(r), 16)[1:])
			} else {
				escaped.WriteRune(r)
			}
		}
		p := newPlan(nObject(fields{"v": nDigest(nDrop())}))
		for _, spelled := range []string{quote(tt.text), `"` + escaped.String() + `"`} {
			body := []byte(`{"v":` + spelled + `}`)
			r := New(Limits{})
			d := deliver(t, r, p, body)
			if d.err != nil || d.out != `{"+v:textDigest":`+want+`}` {
				t.Errorf("%s became %s, %v, want %s", body, d.out, d.err, want)
			}
			checkSplits(t, r, p, body, d)
		}
	}
}

func TestDigestPlace(t *testing.T) {
	message := func() fields {
		return fields{"subject": nDigest(nPhrases("prep")), "body": nDigest(nDrop()), "mail": nDigest(nHash()), "kept": nDigest(nKeep()),
			"link": nDigest(nLink()), "list": nArray(nDigest(nKeep())), "object": nObject(fields{"t": nDigest(nDrop()), "u": nDigest(nKeep())}),
			"refused": nDigest(nFall(plan.FallNull, nObject(nil)))}
	}
	closed := nObject(message())
	open := nOpen(message(), nAny())
	const one = `{"length":1,"word_count":1}`
	for _, tt := range []struct {
		name     string
		node     *plan.Node
		in, want string
	}{
		{"at the end, in order", closed, `{"subject":"prep x","z":1,"body":"a b","kept":"k"}`,
			`{"subject":"prep","kept":"k","+subject:textDigest":{"length":6,"word_count":2},"+body:textDigest":{"length":3,"word_count":2},"+kept:textDigest":` + one + `}`},
		{"alone", closed, `{"body":"a"}`, `{"+body:textDigest":` + one + `}`},
		{"of strings only", closed, `{"body":1,"kept":null,"mail":2,"subject":["x"]}`, `{"kept":null,"mail":` + quote(hash("2")) + `,"subject":null}`},
		{"of a string that is dropped as mistyped", closed, `{"link":"x","mail":"x"}`,
			`{"mail":` + quote(hash("x")) + `,"+link:textDigest":` + one + `,"+mail:textDigest":` + one + `}`},
		{"of a string that falls back", closed, `{"refused":"x"}`, `{"refused":null,"+refused:textDigest":` + one + `}`},
		{"not in arrays", closed, `{"list":["a","b"]}`, `{"list":["a","b"]}`},
		{"below", closed, `{"body":"a","object":{"t":"x y","u":"z"},"kept":"k"}`,
			`{"object":{"u":"z","+t:textDigest":{"length":3,"word_count":2},"+u:textDigest":` + one + `},"kept":"k","+body:textDigest":` + one + `,"+kept:textDigest":` + one + `}`},
		{"name stays as it is spelled", closed, `{"b\u006fdy":"a"}`, `{"+b\u006fdy:textDigest":` + one + `}`},
		{"of the upstream, closed", closed, `{"body":"a","+body:textDigest":1}`, `{"+body:textDigest":` + one + `}`},
		{"of the upstream, open", open, `{"body":"a","+body:textDigest":{"length":9}}`, `{"+body:textDigest":{"length":9}}`},
		{"of the upstream, before", open, `{"+body:textDigest":1,"body":"a"}`, `{"+body:textDigest":1}`},
		{"of the upstream, elsewhere", open, `{"body":"a","rest":{"+t:textDigest":1,"u":"z"}}`, `{"rest":{"+t:textDigest":1,"u":"z"},"+body:textDigest":` + one + `}`},
	} {
		r := New(Limits{})
		p := newPlan(nArray(tt.node))
		body := []byte(`[` + tt.in + `,` + tt.in + `]`)
		d := deliver(t, r, p, body)
		if d.err != nil || d.out != `[`+tt.want+`,`+tt.want+`]` {
			t.Errorf("%s: %s became\n %s, %v, want twice\n %s", tt.name, tt.in, d.out, d.err, tt.want)
		}
		checkSplits(t, r, p, body, d)
	}
}

// A string that is dropped or kept has no limit, with a digest or without.
func TestDigestOfLongString(t *testing.T) {
	body := []byte(`{"k":"` + strings.Repeat(`word `, 50_000) + `","d":"` + strings.Repeat(`\n\ud83d\ude00`, 50_000) + `"}`)
	p := newPlan(nObject(fields{"k": nDigest(nKeep()), "d": nDigest(nDrop())}))
	for _, size := range []int{len(body), 1 << 14, 7} {
		d := deliver(t, New(Limits{}), p, body, every(len(body), size)...)
		want := `,"+k:textDigest":{"length":250000,"word_count":50000},"+d:textDigest":{"length":150000,"word_count":50000}}`
		if d.err != nil || !strings.HasSuffix(d.out, `word "`+want) {
			t.Errorf("in chunks of %d: %v, ends in %q", size, d.err, d.out[max(0, len(d.out)-200):])
		}
	}
}
