package graph

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// record is a thing that a template describes: number n of a kind, belonging to a.
type record struct {
	s    *Server
	kind kind
	a, n int
	at   time.Time // when it was made
	who  int       // the user whose it is, or who made it
	from string    // origin of links, and the version: "https://graph.microsoft.com/v1.0"
}

// filler writes what a placeholder stands for.
type filler func(r *record, b []byte) []byte

// template is JSON text with placeholders "${word argument}". Words that every record has are in common; a type adds its own. The
// numbers behind a placeholder are its own too, so that two texts of a record differ.
type template []part

type part struct {
	text string
	fill filler // after the text; nil at the end
}

// fillers are the words of one type.
type fillers map[string]filler

// compile reads a template. It panics at a word that nothing fills, which is a mistake in this package; place keeps the numbers of
// templates of one record apart.
func compile(text string, place int, own fillers) template {
	var t template
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			return append(t, part{text: before})
		}
		word, after, closed := strings.Cut(rest, "}")
		if !closed {
			panic("template: placeholder is not closed: " + rest)
		}
		fill := own[word]
		if fill == nil {
			fill = common(word, place<<8+len(t))
		}
		t, text = append(t, part{before, fill}), after
	}
}

// write is the template as a filler.
func (t template) write(r *record, b []byte) []byte {
	for i := range t {
		b = append(b, t[i].text...)
		if t[i].fill != nil {
			b = t[i].fill(r, b)
		}
	}
	return b
}

// lines makes the table of a type from lines "name: template"; those of optional are answered only when selected.
func lines(name, standard, optional string, own fillers) *table[record] {
	place := 0
	read := func(text string) (list []property[record]) {
		for line := range strings.Lines(text) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
			if !ok {
				continue
			}
			place++
			t := compile(value, place, own)
			list = append(list, property[record]{name, t.write})
		}
		return list
	}
	return newTable(name, read(standard), read(optional))
}

func (r *record) dice(place int) dice {
	d := r.s.keys.dice(r.kind, r.a, r.n)
	d.state ^= uint64(place) * 0x9fb21c651e98df25
	return d
}

// user is person k of the record: the owner, then anybody.
func (r *record) user(k int) person {
	if k == 0 {
		return r.s.person(r.who)
	}
	d := r.dice(1<<20 + k)
	return r.s.person(d.below(r.s.cfg.Users))
}

// flip is true for some of the records, one in so many.
func (r *record) flip(place, in int) bool {
	d := r.dice(1<<21 + place)
	return d.below(in) == 0
}

// common finds the words that every record has.
func common(word string, place int) filler {
	name, argument, _ := strings.Cut(word, " ")
	n, err := strconv.Atoi(argument)
	if err != nil {
		n = 0
	}
	random := func(r *record) []byte {
		d, raw := r.dice(place), make([]byte, n)
		for i := range raw {
			raw[i] = byte(d.next())
		}
		return raw
	}
	switch name {
	case "text": // a sentence of n words, by somebody
		return func(r *record, b []byte) []byte {
			d := r.dice(place)
			return appendMark(appendSentence(b, &d, n), r.s.cfg.Canary)
		}
	case "canary":
		return func(r *record, b []byte) []byte { return append(b, r.s.cfg.Canary...) }
	case "org":
		return func(r *record, b []byte) []byte { return append(b, r.s.cfg.OrgCanary...) }
	case "at": // n seconds after the record was made
		return func(r *record, b []byte) []byte {
			return r.at.Add(time.Duration(n)*time.Second).AppendFormat(b, "2006-01-02T15:04:05Z")
		}
	case "precise":
		return func(r *record, b []byte) []byte {
			return r.at.Add(time.Duration(n)*time.Second).AppendFormat(b, "2006-01-02T15:04:05.0000000")
		}
	case "day":
		return func(r *record, b []byte) []byte {
			return r.at.Add(time.Duration(n)*time.Second).AppendFormat(b, time.DateOnly)
		}
	case "millis":
		return func(r *record, b []byte) []byte { return strconv.AppendInt(b, r.at.UnixMilli(), 10) }
	case "number": // below n
		return func(r *record, b []byte) []byte { d := r.dice(place); return appendInt(b, d.below(n)) }
	case "guid":
		return func(r *record, b []byte) []byte {
			d := r.dice(place)
			return r.s.keys.appendGUID(b, kindSecret, d.next())
		}
	case "base64":
		return func(r *record, b []byte) []byte { return base64.StdEncoding.AppendEncode(b, random(r)) }
	case "base64url":
		return func(r *record, b []byte) []byte { return base64.RawURLEncoding.AppendEncode(b, random(r)) }
	case "hex":
		return func(r *record, b []byte) []byte { return hex.AppendEncode(b, random(r)) }
	case "tenant":
		return func(r *record, b []byte) []byte { return append(b, r.s.cfg.TenantID...) }
	case "domain":
		return func(r *record, b []byte) []byte { return append(b, r.s.cfg.Domain...) }
	case "from":
		return func(r *record, b []byte) []byte { return append(b, r.from...) }
	case "yes": // true for one record in n
		return func(r *record, b []byte) []byte { return appendBool(b, r.flip(place, n)) }
	}
	if forms := identities[name]; forms != nil {
		return identity(forms, argument, place)
	}
	if who, what, ok := strings.Cut(word, "."); ok {
		if k, err := strconv.Atoi(who); err == nil && personWords[what] != nil {
			write := personWords[what]
			return func(r *record, b []byte) []byte { p := r.user(k); return write(&p, b) }
		}
	}
	panic(fmt.Sprintf("template: nothing fills ${%s}", word))
}

// personWords are what a template may say of a person, as in "${0.mail}".
var personWords = map[string]func(p *person, b []byte) []byte{
	"id":    func(p *person, b []byte) []byte { return p.s.keys.appendGUID(b, kindUser, uint64(p.i)) },
	"name":  (*person).appendDisplayName,
	"mail":  (*person).appendMail,
	"upn":   (*person).appendUPN,
	"local": (*person).appendLocal,
	"phone": func(p *person, b []byte) []byte { return p.appendPhone(b, 0) },
	// site is how SharePoint writes a principal name into a path.
	"site": func(p *person, b []byte) []byte {
		return append(b, strings.NewReplacer("@", "_", ".", "_").Replace(string(p.appendUPN(nil)))...)
	},
}
