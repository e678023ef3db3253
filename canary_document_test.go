package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
)

// canary marks: in text that survives every change of case and every encoding
// that is searched through; in numbers and GUIDs by digits.
const (
	textCanary   = "zq%sqz"
	numberCanary = "93%08d39"
)

// canaries remembers for each canary where it was put.
type canaries struct {
	next int
	// origin is "Type.property" with the class of personal data, or what else the
	// canary stands for, by canary in lower case.
	origin map[string]canaryOrigin
}

// canaryOrigin is a property with its class; person says that it is the id of a
// person, or one that embeds persons.
type canaryOrigin struct {
	Property, Class string
	person          bool
}

func (c *canaries) text(o canaryOrigin) string {
	var letters []byte
	for n := c.next; len(letters) < 6; n /= 25 {
		letters = append(letters, 'a'+byte(n%25)) // no "z", so two canaries never overlap
	}
	return c.add(fmt.Sprintf(textCanary, letters), o)
}

func (c *canaries) number(o canaryOrigin) string { return c.add(fmt.Sprintf(numberCanary, c.next), o) }

func (c *canaries) add(mark string, o canaryOrigin) string {
	if c.origin == nil {
		c.origin = map[string]canaryOrigin{}
	}
	c.next++
	c.origin[mark] = o
	return mark
}

// documents makes bodies of documented types in which every value of a personal
// class can be recognised.
type documents struct {
	*canaries
	schema *graphSchema
	random *rand.Rand
	// link is where page links lead.
	link string
	// wrong puts, at about one in ten places, a value of another type.
	wrong bool
	// expand brings relations too: those on the list in full, which are paths as
	// "sessions/segments", the others one level deep.
	expand   bool
	expanded map[string]bool
	// persons says that ids are those of persons: of the object under way.
	persons bool
	// dealt are, by position, the kinds of a type that have not had their turn.
	dealt map[string][]string
}

// maxDepth ends types that contain themselves.
const maxDepth = 7

// page is a list of items, one of each type.
func (d *documents) page(types []string) []byte {
	var items []string
	for _, name := range types {
		items = append(items, d.object(name, 0, ""))
	}
	d.random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	members := append(d.annotations("page", 0),
		`"value":[`+strings.Join(items, ",")+`]`,
		`"@odata.count":1`,
		`"@odata.nextLink":`+quote(d.link+"?$skiptoken="+d.text(canaryOrigin{Property: "page.@odata.nextLink", Class: "url"})))
	return []byte(d.join(members))
}

// item is a body that is one entity.
func (d *documents) item(name string) []byte { return []byte(d.object(name, 0, "")) }

// object is a value of a type, with everything that it may have and more. path
// are the relations that led to it; without one that is listed it has none.
func (d *documents) object(name string, depth int, path string) string {
	defer func(before bool) { d.persons = before }(d.persons)
	d.persons = d.embedsPersons(name)
	return d.members(name, depth, path)
}

// embedsPersons tells the types whose ids are those of persons or hold them
// (graph-facts, section 3).
func (d *documents) embedsPersons(name string) bool {
	for ; name != ""; name = d.schema.Types[name].Base {
		switch short(name) {
		case "user", "chat", "conversationMember", "onlineMeetingBase", "attendanceRecord", "callRecords.participantBase":
			return true
		}
	}
	return false
}

// identifiesPerson tells the members that stand for persons: identities of whatever
// type and wherever they are, but for those of applications.
func (d *documents) identifiesPerson(name, member string) bool {
	for ; name != ""; name = d.schema.Types[name].Base {
		if short(name) == "identity" {
			return member != "application" && member != "applicationInstance"
		}
	}
	return false
}

// at is the value of a member that is an object of a type.
func (d *documents) at(member, name string, depth int, path string) string {
	if !d.identifiesPerson(name, member) {
		return d.object(name, depth, path)
	}
	defer func(before bool) { d.persons = before }(d.persons)
	d.persons = true
	return d.members(name, depth, path)
}

func (d *documents) members(name string, depth int, path string) string {
	structural, relations := d.schema.members(name)
	members := d.annotations(name, depth)
	members = append(members, `"@odata.type":`+quote("#"+name))
	for _, member := range slices.Sorted(maps.Keys(structural)) {
		members = append(members, quote(member)+":"+d.value(structural[member], member, depth, ""))
		members = append(members, d.about(name, member)...)
	}
	if d.expand && (depth == 0 || path != "") {
		for _, member := range slices.Sorted(maps.Keys(relations)) {
			below, deep := strings.TrimPrefix(path+"/"+member, "/"), maxDepth-1
			if d.expanded[below] {
				deep = depth
			} else {
				below = ""
			}
			members = append(members, quote(member)+":"+d.value(relations[member], member, deep, below))
			members = append(members, d.about(name, member)...)
		}
	}
	return d.join(append(members, d.unknown(name)...))
}

// value is a value of a property, in an array if it is a collection.
func (d *documents) value(p schemaProperty, member string, depth int, path string) string {
	if d.wrong && d.random.IntN(10) == 0 {
		return d.anything(p, canaryOrigin{Property: short(p.owner) + "." + member, Class: p.PII})
	}
	one := func() string {
		switch {
		case p.Ref == "":
			return d.scalar(p, member)
		case depth >= maxDepth:
			return "null"
		}
		return d.at(member, d.kind(p, member), depth+1, path)
	}
	if !p.Collection {
		return one()
	}
	elements := []string{one(), "null"}
	if p.Ref != "" && depth < maxDepth-4 {
		elements = elements[:0]
		for _, kind := range d.schema.kinds(p.Ref) {
			elements = append(elements, d.at(member, kind, depth+1, path))
		}
	}
	return "[" + strings.Join(elements, ",") + "]"
}

// kind deals the kinds of a type like cards: each comes once at a position before
// one comes again.
func (d *documents) kind(p schemaProperty, member string) string {
	position := p.owner + "." + member
	if len(d.dealt[position]) == 0 {
		kinds := slices.Clone(d.schema.kinds(p.Ref))
		d.random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		if d.dealt == nil {
			d.dealt = map[string][]string{}
		}
		d.dealt[position] = kinds
	}
	kind := d.dealt[position][0]
	d.dealt[position] = d.dealt[position][1:]
	return kind
}

// scalar has the lexical form of the property, with a canary in it if its class
// is personal.
func (d *documents) scalar(p schemaProperty, member string) string {
	o := canaryOrigin{Property: short(p.owner) + "." + member, Class: p.PII, person: d.persons && member == "id"}
	switch {
	case d.ordinary(p):
		return d.harmless(p)
	case p.Type == "Edm.Boolean":
		return "true"
	case strings.HasPrefix(p.Type, "Edm.Int"), p.Type == "Edm.Double", p.Type == "Edm.Single", p.Type == "Edm.Decimal":
		return d.number(o)
	case p.Type == "Edm.Guid", p.Form == "guid":
		return quote("ca4a45da-0000-4000-8000-" + d.number(o))
	case p.Type == "Edm.DateTimeOffset", p.Type == "Edm.Date":
		return quote("1973-05-06T07:08:09." + d.number(o) + "Z")
	case p.PII == "binary", p.Type == "Edm.Binary":
		return quote(base64.StdEncoding.EncodeToString([]byte("--" + d.text(o) + "--")))
	}
	mark := d.text(o)
	switch p.PII {
	case "email":
		return quote(mark + "@leak.example")
	case "contact":
		return quote("+1 555 " + mark)
	case "url":
		return quote("https://leak.example/personal/" + mark + "?user=" + url.QueryEscape(mark+"@leak.example"))
	case "ip":
		return quote("10.0.0.1%" + mark)
	case "id":
		return quote("19:" + mark + "_" + mark + "@unq.gbl.spaces")
	}
	switch d.random.IntN(4) {
	case 0: // text in HTML
		return quote("<p>Dear <b>" + strings.ToUpper(mark) + "</b>, call \u00e9\U0001F600 at 1:1</p>")
	case 1: // JSON in a string
		return quote(`{"type":"AdaptiveCard","text":` + quote(mark) + `}`)
	case 2: // escaped as nobody has to
		return `"` + fmt.Sprintf(`\u%04x`, mark[0]) + mark[1:] + `"`
	}
	return quote(mark)
}

func (d *documents) harmless(p schemaProperty) string {
	switch {
	case p.Enum != "" && len(d.schema.Enums[p.Enum]) > 0:
		values := d.schema.Enums[p.Enum]
		return quote(values[d.random.IntN(len(values))])
	case p.Type == "Edm.Boolean":
		return "false"
	case strings.HasPrefix(p.Type, "Edm.Int"):
		return "7"
	case p.Type == "Edm.Double", p.Type == "Edm.Single", p.Type == "Edm.Decimal":
		return "1.50"
	case p.Type == "Edm.DateTimeOffset":
		return `"2026-03-01T09:30:00Z"`
	}
	return `"ordinary"`
}

// annotations are what OData and Graph add to an object: most of it addresses
// with ids in them.
func (d *documents) annotations(name string, depth int) []string {
	var members []string
	for _, annotation := range []string{
		"@odata.context", "@odata.id", "@odata.etag", "@odata.editLink", "@odata.readLink", "@odata.mediaReadLink",
		"@microsoft.graph.downloadUrl", "@microsoft.graph.tips", "@odata.error",
	} {
		if depth == 0 || d.random.IntN(3) == 0 {
			members = append(members, quote(annotation)+":"+quote("https://graph.microsoft.com/v1.0/$metadata#users('"+d.text(canaryOrigin{Property: short(name) + "." + annotation, Class: "url"})+"')"))
		}
	}
	return append(members, `"@removed":{"reason":"deleted","who":`+quote(d.text(canaryOrigin{Property: short(name) + ".@removed", Class: "text"}))+`}`)
}

// about are annotations of a member.
func (d *documents) about(name, member string) []string {
	if d.random.IntN(8) > 0 {
		return nil
	}
	var members []string
	for _, annotation := range []string{"@odata.context", "@odata.associationLink", "@odata.navigationLink", "@odata.nextLink", "@odata.count", "@odata.mediaContentType", "@delta"} {
		members = append(members, quote(member+annotation)+":"+quote(d.link+"/"+d.text(canaryOrigin{Property: short(name) + "." + member + annotation, Class: "url"})))
	}
	return members
}

// unknown are members that nobody documents, of every JSON type, also names that
// differ from known ones in case only.
func (d *documents) unknown(name string) []string {
	o := canaryOrigin{Property: short(name) + ", an unknown member", Class: "text"}
	return []string{
		fmt.Sprintf(`"unknown%d":%s`, d.next, quote(d.text(o))),
		fmt.Sprintf(`"unknown%d":%s`, d.next, d.number(o)),
		fmt.Sprintf(`"unknown%d":{"id":%s,"value":[{"mail":%s}]}`, d.next, quote(d.text(o)), quote(d.text(o))),
		fmt.Sprintf(`"unknown%d":[%s,[%s],{"a":%s}]`, d.next, quote(d.text(o)), d.number(o), quote(d.text(o))),
		fmt.Sprintf(`%s:true`, quote("unknown "+d.text(o))),
		fmt.Sprintf(`"ID":%s`, quote(d.text(o))),
		fmt.Sprintf(`"+x:textDigest":{"length":%s}`, d.number(o)),
	}
}

// anything is a value of any JSON type in place of a property's own. A number
// counts as the property's value; what is in an object or array does not.
func (d *documents) anything(p schemaProperty, o canaryOrigin) string {
	inside := canaryOrigin{Property: o.Property + ", inside a wrong type", Class: "text"}
	switch d.random.IntN(6) {
	case 0:
		if d.ordinary(p) {
			return "12.5"
		}
		return d.number(o) + ".5"
	case 1:
		if p.Ref != "" && !p.Collection { // an object is right there
			return d.number(inside)
		}
		return fmt.Sprintf(`{"id":%s,"displayName":{"x":%s}}`, quote(d.text(inside)), quote(d.text(inside)))
	case 2:
		return fmt.Sprintf(`[[%s],{"mail":%s},[%s]]`, quote(d.text(inside)), quote(d.text(inside)), d.number(inside))
	case 3:
		return "null"
	case 4:
		return "false"
	}
	return `""`
}

// ordinary tells a property that holds nothing personal.
func (d *documents) ordinary(p schemaProperty) bool {
	return p.Ref == "" && (p.PII == "" || p.PII == "none" || p.PII == "time")
}

// join makes an object of members, in any order.
func (d *documents) join(members []string) string {
	d.random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ",") + "}"
}

func short(name string) string { return strings.TrimPrefix(name, "microsoft.graph.") }

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}
