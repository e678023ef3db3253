package psoxy

// rules is a rules document (psoxy-compat section 1).
type rules struct {
	endpoints   []*endpoint
	headers     words
	definitions map[string]*node
	// shapes are the definitions that schemas use, in Rego; used are their names,
	// each behind those that it uses itself.
	shapes map[string]string
	used   []string
}

// endpoint is an endpoint as the document has it.
type endpoint struct {
	line            int
	regex, template *word
	params          *node // pathParameterSchemas
	anyQuery        bool
	query           words
	queryRules      *node // queryParamSchemas
	methods         words
	headers         words
	schema          *node
	transforms      []*transform
}

// transform is a transform or an augment.
type transform struct {
	line    int
	method  string
	augment bool
	node    *node
	paths   []jsonPath
	// when is applyOnlyWhen, or "".
	when string
}

func (c *importer) rules(root *node) *rules {
	r := &rules{definitions: map[string]*node{}, shapes: map[string]string{}}
	if !c.keys(root, "a rules document", "endpoints", "allowedRequestHeaders", "allowAllEndpoints", "definitions", "defaultScopeIdForSource") {
		return r
	}
	if c.flag(root, "allowAllEndpoints") {
		c.refuse(root.get("allowAllEndpoints").line, "allowAllEndpoints lets every request through and gives back what no endpoint matches as it came; list the endpoints instead")
	}
	r.headers = c.words(root, "allowedRequestHeaders")
	if d := root.value("definitions"); d != nil {
		if d.kind != mapping {
			c.refuse(d.line, "definitions must be a mapping, not %s", kindNames[d.kind])
		}
		for i, k := range d.keys {
			r.definitions[k.text] = d.items[i]
		}
	}
	for _, n := range c.list(root, "endpoints") {
		r.endpoints = append(r.endpoints, c.endpoint(n))
	}
	if len(r.endpoints) == 0 && len(c.problems) == 0 {
		c.refuse(root.line, "there are no endpoints")
	}
	return r
}

func (c *importer) endpoint(n *node) *endpoint {
	e := &endpoint{line: n.line}
	if !c.keys(n, "an endpoint", "pathRegex", "pathTemplate", "pathParameterSchemas", "allowedQueryParams", "queryParamSchemas",
		"allowedMethods", "allowedRequestHeaders", "allowedRequestHeadersToForward", "requestBody", "augments", "responseSchema", "transforms") {
		return e
	}
	e.regex, e.template = c.word(n, "pathRegex"), c.word(n, "pathTemplate")
	switch {
	case e.regex == nil && e.template == nil:
		c.refuse(n.line, "an endpoint needs pathRegex or pathTemplate")
	case e.regex != nil && e.template != nil:
		c.refuse(e.regex.line, "an endpoint with pathRegex and pathTemplate matches either; write two endpoints")
	}
	e.params, e.queryRules, e.schema = n.value("pathParameterSchemas"), n.value("queryParamSchemas"), n.value("responseSchema")
	e.anyQuery = n.value("allowedQueryParams") == nil
	e.query, e.methods = c.words(n, "allowedQueryParams"), c.words(n, "allowedMethods")
	e.headers = append(c.words(n, "allowedRequestHeaders"), c.words(n, "allowedRequestHeadersToForward")...)
	if body := n.value("requestBody"); body != nil {
		c.refuse(body.line, "requestBody cannot be imported: no request with a body is served")
	}
	for _, t := range c.list(n, "augments") {
		e.transforms = append(e.transforms, c.transform(t, true))
	}
	for _, t := range c.list(n, "transforms") {
		e.transforms = append(e.transforms, c.transform(t, false))
	}
	return e
}

func (c *importer) word(n *node, key string) *word {
	v := n.value(key)
	if v == nil {
		return nil
	}
	s, _ := c.textOf(v, key)
	return &word{s, v.line}
}

// transformKeys are the keys of each transform, beside those that all have.
var transformKeys = map[string][]string{
	"redact":                                {},
	"redactRegexMatches":                    {"redactions"},
	"redactExceptPhrases":                   {"allowedPhrases"},
	"redactExceptSubstringsMatchingRegexes": {"exceptions"},
	"pseudonymize":                          {"encoding", "includeOriginal", "includeReversible", "onlyIfRegex"},
	"pseudonymizeRegexMatches":              {"regex", "includeReversible"},
	"pseudonymizeEmailHeader":               {"encoding"},
	"filterTokenByRegex":                    {"delimiter", "filters"},
	"tokenize":                              {"regex"},
	"textDigest":                            {},
	"hashIp":                                {},
	"encryptIp":                             {},
}

// augmentKeys are the same for augments.
var augmentKeys = map[string][]string{
	"textDigest":       {"innerJsonPath", "keywords", "outputSchema"},
	"sentenceMetadata": {},
}

func (c *importer) transform(n *node, augment bool) *transform {
	t := &transform{line: n.line, node: n, augment: augment, method: n.tag}
	what, names := "a transform", transformKeys
	if augment {
		what, names = "an augment", augmentKeys
	}
	if n.kind != mapping {
		c.refuse(n.line, "%s must be a mapping with its name in a tag, as !<redact>, or in the key method", what)
		return t
	}
	if m := c.word(n, "method"); m != nil {
		if t.method != "" && t.method != m.text {
			c.refuse(m.line, "the tag says %s, the key method %s", t.method, m.text)
		}
		t.method = m.text
	}
	keys, known := names[t.method]
	switch {
	case t.method == "":
		c.refuse(n.line, "%s needs its name, in a tag, as !<redact>, or in the key method", what)
		return t
	case !known:
		c.refuse(n.line, "there is no transform %s", t.method)
		if augment {
			c.problems[len(c.problems)-1].Reason = "there is no augment " + t.method
		}
		return t
	case t.method == "sentenceMetadata" || t.method == "textDigest" && !augment:
		c.refuse(n.line, "%s cannot be imported: what it writes is not specified", t.method)
		return t
	}
	if !c.keys(n, t.method, append([]string{"method", "jsonPaths", "applyOnlyWhen", "fields"}, keys...)...) {
		return t
	}
	for _, w := range c.words(n, "jsonPaths") {
		if p, err := parsePath(w.text); err != nil {
			c.refuse(w.line, "the JSONPath %q: %v", w.text, err)
		} else {
			p.line = w.line
			t.paths = append(t.paths, p)
		}
	}
	if w := c.word(n, "applyOnlyWhen"); w != nil {
		p, err := parsePath(w.text)
		switch {
		case err != nil:
			c.refuse(w.line, "the JSONPath %q of applyOnlyWhen: %v", w.text, err)
		case p.definite():
			c.refuse(w.line, "applyOnlyWhen %q names one place; Psoxy looks there for a list and so never applies the transform", w.text)
		}
		t.when = p.text
	}
	return t
}
