// Package psoxy turns a Psoxy rules document into a connector in Rego.
//
// Call Import. It reads the document, refuses all at once what a connector
// cannot say or should not, and returns the files of the connector with what an
// author has to know about them. What comes out hides what Psoxy hides, and in
// the same form; where Psoxy's engine leaks, it does not (docs/psoxy-import.md).
//
// It neither reads nor writes files, and loads no policy: whoever calls it does.
package psoxy

import (
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Input is what to import.
type Input struct {
	// File is the name of the rules document, for errors and for the default of
	// Connector.
	File string
	// Text is the document: YAML or JSON, or either in base64, or that of gzip.
	Text []byte
	// Connector names the package under graphveil.connectors. Empty means a name
	// made of File's.
	Connector string
}

// Connector is an imported connector.
type Connector struct {
	// Name is the name of its package and folder.
	Name string
	// Files are its Rego, its tests in Rego and its README, by name.
	Files map[string][]byte
	// Warnings are what was imported differently from how Psoxy has it, and what
	// is unsafe in the rules, by line.
	Warnings []Warning
	// Endpoints is how many endpoints it has.
	Endpoints int

	file   string
	places map[string]place
}

// place is where in the document an endpoint comes from.
type place struct {
	line int
	// rules are the lines of the transforms, in the order of the connector's rules,
	// and at those of their paths.
	rules []int
	at    [][]int
}

var (
	placeOfEndpoint = regexp.MustCompile(`^endpoints\["([^"]+)"\]`)
	placeOfRule     = regexp.MustCompile(`\.rules\[([0-9]+)\](?:\.at\[([0-9]+)\])?`)
)

// Where tells where in the document a place in the connector comes from, as
// rules.yaml:12. The place is one that an error of loading names, as
// endpoints["users"].response.rules[3].at[0]; of others it tells the file only.
func (c *Connector) Where(path string) string {
	endpoint := placeOfEndpoint.FindStringSubmatch(path)
	if endpoint == nil {
		return c.file
	}
	p, ok := c.places[endpoint[1]]
	if !ok {
		return c.file
	}
	line := p.line
	if rule := placeOfRule.FindStringSubmatch(path); rule != nil {
		// Both match digits only; what is too large for the lists is no place.
		if i, _ := strconv.Atoi(rule[1]); i < len(p.rules) {
			line = p.rules[i]
			if j, err := strconv.Atoi(rule[2]); err == nil && j < len(p.at[i]) {
				line = p.at[i][j]
			}
		}
	}
	return c.file + ":" + strconv.Itoa(line)
}

// Warning is something that the author of the rules should know.
type Warning struct {
	File string
	// Lines are where in the rules document, from 1, sorted.
	Lines []int
	Text  string
}

func (w Warning) String() string {
	return w.File + ":" + w.where() + ": " + w.Text
}

func (w Warning) where() string {
	lines := make([]string, len(w.Lines))
	for i, line := range w.Lines {
		lines[i] = strconv.Itoa(line)
	}
	return strings.Join(lines, ",")
}

// Import makes a connector of a rules document. If it cannot, the error is
// Errors, with everything that is in the way.
func Import(in Input) (*Connector, error) {
	c := &importer{file: in.File, name: in.Connector}
	if c.name == "" {
		c.name = nameOf(in.File)
	} else if !validName(c.name) {
		c.refuse(0, "the connector name %q is no name of a Rego package: use small letters, digits and _, a letter first", c.name)
	}
	root := c.parse(in.Text)
	if root == nil {
		return nil, c.errors()
	}
	rules := c.rules(root)
	endpoints := c.endpoints(rules)
	if err := c.errors(); err != nil {
		return nil, err
	}
	c.warnOfRules(rules, endpoints)
	return c.write(rules, endpoints)
}

// importer collects what one import has to say.
type importer struct {
	file, name string
	problems   Errors
	warnings   []Warning
	// java are the expressions that were rewritten for the rule being made.
	java []string
}

// nameOf makes a package name of a file name: "entra-id.yaml" is entra_id.
func nameOf(file string) string {
	base := strings.ToLower(path.Base(strings.ReplaceAll(file, `\`, "/")))
	base, _, _ = strings.Cut(base, ".")
	name := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}, base)
	for strings.Contains(name, "__") {
		name = strings.ReplaceAll(name, "__", "_")
	}
	if name = strings.Trim(name, "_"); !validName(name) {
		name = "psoxy_" + name
	}
	return strings.TrimSuffix(name, "_")
}

// regoWords cannot stand in the path of a package.
var regoWords = map[string]bool{
	"as": true, "contains": true, "default": true, "else": true, "every": true, "false": true, "if": true, "import": true,
	"in": true, "input": true, "data": true, "not": true, "null": true, "package": true, "set": true, "some": true, "true": true, "with": true,
}

func validName(name string) bool {
	for i, r := range name {
		if !('a' <= r && r <= 'z' || i > 0 && (r == '_' || '0' <= r && r <= '9')) {
			return false
		}
	}
	return name != "" && !regoWords[name]
}
