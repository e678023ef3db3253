package connectors_test

import (
	"strings"
	"testing"
)

// TestNothingOfAPersonIsListed reads in-clear.md: no secret, no binary content, no
// address on the network, no e-mail address, login, name or phone of a person
// leaves in clear at any level, and no place or attribute at level strict.
func TestNothingOfAPersonIsListed(t *testing.T) {
	schema := readSchema(t)
	for name, when := range readInClear(t) {
		dot := strings.LastIndexByte(name, '.')
		owner, member := namespace+name[:dot], name[dot+1:]
		class, ok := "", false
		for _, p := range schema.members([]string{owner})[member] {
			if p.owner == name[:dot] {
				class, ok = p.PII, true
			}
		}
		if !ok {
			t.Errorf("%s is not documented", name)
		}
		ofGroup := schema.isA(owner, namespace+"group")
		strict := when == "level: standard"
		allowed := false
		switch class {
		case "id", "text":
			allowed = true
		case "name": // of groups and labels, which tell of the organisation
			allowed = strict && !schema.isA(owner, namespace+"user") && !schema.isA(owner, namespace+"identity")
		case "email":
			allowed = ofGroup && when != "always"
		case "contact": // of the meeting bridge
			allowed = strict && strings.HasPrefix(member, "toll")
		case "location", "attr":
			allowed = strict || strings.HasSuffix(member, "DateTime")
		}
		if !allowed {
			t.Errorf("%s, of class %q, leaves in clear: %s", name, class, when)
		}
	}
}
