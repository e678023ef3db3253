package psoxy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// rule is a transform as an entry of shape.rules.
type rule struct {
	line int
	// what is a word for it, for the name of a list of its paths: "redacted".
	what  string
	paths []string
	lines []int  // of the paths
	do    string // an operation in Rego
	when  string
	// java are the expressions of the document that do says in another way.
	java []string
}

// isLink tells an OData annotation that holds a URL for the next request. Graph's
// own would lead past the sidecar.
func isLink(name string) bool {
	return slices.ContainsFunc([]string{"@odata.nextLink", "@odata.deltaLink", "@odata.prevLink"}, func(suffix string) bool {
		return strings.HasSuffix(name, suffix)
	})
}

// partlyHiding are transforms that leave parts of a value. A page link is none
// any more then, and still leads past the sidecar.
var partlyHiding = []string{"redactRegexMatches", "redactExceptSubstringsMatchingRegexes", "pseudonymizeRegexMatches", "filterTokenByRegex"}

// transformRules makes the rules of an endpoint, and returns the names of the
// members of the root that are page links: those of OData, and those that the
// document tokenizes by a regular expression, which rules it leaves out.
func (c *importer) transformRules(e *endpoint) (out []rule, links []string) {
	links = []string{"@odata.deltaLink", "@odata.nextLink"}
	for _, t := range e.transforms {
		r := rule{line: t.line, when: t.when}
		for _, p := range t.paths {
			names := p.root()
			byRegex := t.method == "tokenize" && t.node.value("regex") != nil
			partly := byRegex || slices.Contains(partlyHiding, t.method)
			if !byRegex || !slices.ContainsFunc(names, isLink) {
				r.paths, r.lines = append(r.paths, p.text), append(r.lines, p.line)
				if !partly && t.hides(p) { // the link itself
					links = slices.DeleteFunc(links, func(l string) bool { return slices.Contains(p.steps[0].names, l) })
				}
				continue
			}
			c.warn(t.line, "tokenizing page links by a regular expression leaves those in clear that it does not match; %s is sealed instead, and leads back to the sidecar", p.text)
			var rest []string
			for _, name := range names {
				if isLink(name) {
					links = append(links, name)
				} else {
					rest = append(rest, name)
				}
			}
			if len(rest) > 0 {
				r.paths, r.lines = append(r.paths, memberPath(rest)), append(r.lines, p.line)
			}
		}
		if len(t.paths) == 0 {
			c.warn(t.line, "%s has no jsonPaths and does nothing", t.method)
		}
		c.java = nil
		r.what, r.do = c.operation(t)
		if r.java = c.java; len(r.paths) > 0 {
			out = append(out, r)
		}
	}
	slices.Sort(links)
	return out, slices.Compact(links)
}

// hides tells whether a transform makes something else of a member of the root in
// every body that has it.
func (t *transform) hides(p jsonPath) bool {
	always := len(p.steps) == 1 && !(p.steps[0].scan && len(p.steps[0].names) > 1) && t.when == ""
	return always && t.method != "redact" && t.method != "textDigest"
}

// memberPath is the path of members of the root.
func memberPath(names []string) string {
	return "$['" + strings.Join(names, "','") + "']"
}

// operation is what a transform does, in a word and in Rego.
func (c *importer) operation(t *transform) (what, do string) {
	switch t.method {
	case "redact":
		return "redacted", "shape.drop"
	case "redactRegexMatches":
		return "removed", "shape.without(" + c.patterns(t, "redactions", find) + ")"
	case "redactExceptPhrases":
		return "phrases", "shape.phrases(" + rego(c.needed(t, "allowedPhrases").texts()) + ")"
	case "redactExceptSubstringsMatchingRegexes":
		return "only", "shape.only(" + c.patterns(t, "exceptions", find) + ")"
	case "pseudonymize":
		return c.pseudonymize(t)
	case "pseudonymizeRegexMatches":
		return c.pseudonymizeMatches(t)
	case "pseudonymizeEmailHeader":
		return c.emailHeader(t)
	case "filterTokenByRegex":
		return "tokens", fmt.Sprintf("shape.tokens(%s, %s)", c.delimiter(t), c.patterns(t, "filters", whole))
	case "tokenize":
		return c.tokenize(t)
	case "hashIp":
		return "hashed", "shape.hash_ip"
	case "encryptIp":
		return "encrypted", "shape.encrypt_ip"
	case "textDigest":
		return "digested", c.digest(t)
	}
	return "", ""
}

func (c *importer) pseudonymize(t *transform) (what, do string) {
	original, reversible := c.flag(t.node, "includeOriginal"), c.flag(t.node, "includeReversible")
	if w := c.word(t.node, "onlyIfRegex"); w != nil {
		c.warn(w.line, "onlyIfRegex has no effect in Psoxy, so it has none here: all values are pseudonymized")
	}
	switch encoding := c.encoding(t); {
	case encoding == "URL_SAFE_TOKEN" && original:
		c.refuse(t.line, "includeOriginal cannot be together with the encoding URL_SAFE_TOKEN")
	case encoding == "URL_SAFE_HASH_ONLY" && (original || reversible):
		c.refuse(t.line, "the encoding URL_SAFE_HASH_ONLY holds neither the original nor a reversible token")
	case encoding == "URL_SAFE_HASH_ONLY":
		return "hashed", "shape.hash"
	case encoding == "JSON" && original && reversible:
		return "pseudonymized", "shape.json_reversible_with_original"
	case encoding == "JSON" && original:
		return "pseudonymized", "shape.json_pseudonym_with_original"
	case encoding == "JSON" && reversible:
		return "pseudonymized", "shape.json_reversible"
	case encoding == "JSON":
		return "pseudonymized", "shape.json_pseudonym"
	case reversible:
		return "reversible", "shape.reversible"
	}
	return "pseudonymized", "shape.pseudonym"
}

// encoding reads the key encoding.
func (c *importer) encoding(t *transform) string {
	w := c.word(t.node, "encoding")
	if w == nil {
		return "URL_SAFE_TOKEN"
	}
	if !slices.Contains([]string{"URL_SAFE_TOKEN", "JSON", "URL_SAFE_HASH_ONLY"}, w.text) {
		c.refuse(w.line, "there is no encoding %q; Psoxy knows URL_SAFE_TOKEN, JSON and URL_SAFE_HASH_ONLY", w.text)
	}
	return w.text
}

func (c *importer) pseudonymizeMatches(t *transform) (what, do string) {
	w := c.word(t.node, "regex")
	if w == nil {
		c.refuse(t.line, "pseudonymizeRegexMatches needs regex")
		return "", ""
	}
	operation := "shape.pseudonym"
	if c.flag(t.node, "includeReversible") {
		operation = "shape.reversible"
	}
	u := find
	if tree, err := parseRegex(w.text); err == nil && tree.groups() {
		u = group
	}
	return "matched", fmt.Sprintf("shape.match(%s, %s)", c.pattern(*w, u), operation)
}

func (c *importer) emailHeader(t *transform) (what, do string) {
	switch c.encoding(t) {
	case "JSON":
		return "headers", "shape.json_email_header"
	case "URL_SAFE_HASH_ONLY":
		c.refuse(t.line, "pseudonymizeEmailHeader with URL_SAFE_HASH_ONLY is not specified")
	}
	return "headers", "shape.email_header"
}

func (c *importer) tokenize(t *transform) (what, do string) {
	w := c.word(t.node, "regex")
	if w == nil {
		return "tokenized", "shape.tokenize"
	}
	if tree, err := parseRegex(w.text); err == nil && !tree.groups() {
		c.refuse(w.line, "the regex of tokenize needs a group: its text becomes the token")
	}
	return "tokenized", "shape.tokenize_match(" + c.pattern(*w, wholeGroup) + ")"
}

// delimiter reads that of filterTokenByRegex: white space by default, null for
// no split.
func (c *importer) delimiter(t *transform) string {
	d := t.node.get("delimiter")
	if d == nil {
		return raw(classes['s'].re2() + "+")
	}
	if d.kind == null {
		return "null"
	}
	return c.pattern(word{d.text, d.line}, find)
}

// digest makes the operation of an augment. The value itself stays; a redact
// behind it removes it.
func (c *importer) digest(t *transform) string {
	if k := c.words(t.node, "keywords"); len(k) > 0 {
		c.refuse(k[0].line, "keywords of textDigest cannot be imported: what they add is not specified")
	}
	w := c.word(t.node, "innerJsonPath")
	if w == nil {
		return "shape.digest(shape.keep)"
	}
	if _, err := parsePath(w.text); err != nil {
		c.refuse(w.line, "the JSONPath %q: %v", w.text, err)
	}
	return fmt.Sprintf(`shape.digest_json(shape.keep, shape.rules(shape.any, [{"at": [%s], "do": shape.text_digest}]))`, quote(w.text))
}

// needed reads a list that must not be empty.
func (c *importer) needed(t *transform, key string) words {
	list := c.words(t.node, key)
	if len(list) == 0 {
		c.refuse(t.line, "%s needs %s", t.method, key)
	}
	return list
}

func (c *importer) patterns(t *transform, key string, u use) string {
	var out []string
	for _, w := range c.needed(t, key) {
		out = append(out, c.pattern(w, u))
	}
	return array(out)
}

// pattern translates an expression into a string of Rego.
func (c *importer) pattern(w word, u use) string {
	text, err := translate(w.text, u)
	if err != nil {
		c.refuse(w.line, "the regular expression \"%s\": %v", w.text, err)
	}
	if text != w.text {
		c.java = append(c.java, w.text)
	}
	return raw(text)
}

// raw is a string in Rego, in backticks where it can be.
func raw(s string) string {
	if strings.Contains(s, "`") || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return quote(s)
	}
	return "`" + s + "`"
}

// quote is a string in Rego in double quotes.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// rego is a list of strings.
func rego(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return array(quoted)
}

// array is an array of what is Rego already, a long one on lines of its own.
func array(items []string) string {
	const wide = 90
	if line := strings.Join(items, ", "); len(line) <= wide && !strings.Contains(line, "\n") {
		return "[" + line + "]"
	}
	return "[\n" + strings.Join(items, ",\n") + ",\n]"
}
