package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/graphveil/graphveil/deploy/setup"
	"github.com/graphveil/graphveil/policy"
)

// holds tells whether the token has the role of a permission, or cannot be read.
func (c *Connector) holds(permission string) bool {
	role, _ := setup.RoleOf(permission)
	return !c.Roles.Readable || slices.Contains(c.Roles.Granted, permission) || slices.Contains(c.Roles.Granted, role)
}

// unknownParams refuses values for parameters that no endpoint has: a misspelt one would be in vain.
func (p *prober) unknownParams(s *policy.Snapshot) error {
	known := map[string]bool{}
	for _, e := range s.Endpoints() {
		for _, name := range e.ProbeParams() {
			known[name] = true
		}
	}
	for name := range p.params {
		if !known[name] {
			return fmt.Errorf("no endpoint has a parameter %q\nhint: there are %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	return nil
}

// namesFor are the parameters, still without a value, that the records of a list can fill in.
//
// A list is good for the parameter behind it, as /things for /things/{thing}. Where no list is just before a parameter, one that ends in
// the same word is, if it is about the same: /places/{place}/things for /things/{thing}, and /places/{place}/boxes/things for
// /places/{place}/things/{thing}, but not /boxes/{box}/things.
func (p *prober) namesFor(list *Endpoint) []string {
	var names []string
	for _, e := range p.open {
		segments := strings.Split(e.Path, "/")
		for i, segment := range segments {
			name, ok := parameter(segment)
			if !ok || p.params[name] != "" || i == 0 {
				continue
			}
			if list.Path == strings.Join(segments[:i], "/") || sameKind(list.Path, segments[:i]) && !p.hasList(segments[:i]) {
				names = append(names, name)
			}
		}
	}
	return names
}

// hasList tells whether an endpoint lists exactly what a parameter is behind.
func (p *prober) hasList(prefix []string) bool {
	path := strings.Join(prefix, "/")
	return slices.ContainsFunc(p.all, func(e *Endpoint) bool { return e.Path == path && e.Status != PermissionMissing })
}

// sameKind tells whether a list ends in the same word as the path before a parameter, and is about the same things.
func sameKind(list string, prefix []string) bool {
	segments := strings.Split(list, "/")
	last, word := segments[len(segments)-1], prefix[len(prefix)-1]
	if _, ok := parameter(last); ok || word == "" || !strings.HasSuffix(strings.ToLower(last), strings.ToLower(word)) {
		return false
	}
	about, wanted := parameters(segments), parameters(prefix)
	return len(wanted) == 0 || slices.Equal(about, wanted)
}

func parameters(segments []string) []string {
	var names []string
	for _, segment := range segments {
		if name, ok := parameter(segment); ok {
			names = append(names, name)
		}
	}
	return names
}

// parameter is the name of a segment that is one parameter, as {user}.
func parameter(segment string) (string, bool) {
	name, ok := strings.CutPrefix(segment, "{")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, "}")
}
