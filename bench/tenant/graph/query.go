package graph

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is the parsed query string. Option names are compared without case and without "$" (graph-facts: the prefix is optional).
type query struct {
	top      int // 0 when absent
	skip     int
	token    string // $skiptoken
	fields   []string
	filter   string
	orderBy  string
	count    bool
	eventual bool // ConsistencyLevel: eventual
	text     bool // Prefer: outlook.body-content-type="text"
	expand   string
	plain    map[string]string // further options of the endpoint, such as startDateTime, by lower-case name
	options  []option
}

// option is one name=value pair as it was written, with its plain name.
type option struct{ name, raw string }

func badQuery(format string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, code: "BadRequest", message: fmt.Sprintf(format, args...)}
}

func parseQuery(r *http.Request, t *target) (*query, *problem) {
	q := &query{plain: map[string]string{}, eventual: strings.EqualFold(r.Header.Get("ConsistencyLevel"), "eventual")}
	seen := map[string]bool{}
	for raw := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if raw == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(raw, "=")
		written, err := url.QueryUnescape(rawName)
		if err != nil {
			return nil, badQuery("Malformed query string.")
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return nil, badQuery("Malformed query string.")
		}
		name := strings.ToLower(strings.TrimPrefix(written, "$"))
		if seen[name] {
			return nil, badQuery("Query option '%s' was specified more than once, but it must be specified at most once.", written)
		}
		seen[name] = true
		q.options = append(q.options, option{name: name, raw: raw})
		if p := q.set(t, name, written, value); p != nil {
			return nil, p
		}
	}
	q.prefer(r, t)
	return q, nil
}

func (q *query) set(t *target, name, written, value string) *problem {
	switch {
	case name == "select":
		for field := range strings.SplitSeq(value, ",") {
			q.fields = append(q.fields, strings.TrimSpace(field))
		}
		return nil
	case !t.takes(name):
		switch name {
		case "top", "count", "filter", "orderby", "skip", "skiptoken", "expand", "search":
			return badQuery("The query option '%s' with value '%s' is not supported on this resource.", written, value)
		}
		if strings.HasPrefix(written, "$") && name != "format" {
			return badQuery("The query parameter '%s' is not supported.", written)
		}
		return nil // Graph ignores parameters that it does not know.
	}
	var err error
	switch name {
	case "top":
		q.top, err = strconv.Atoi(value)
		if limit := t.service.maxPage; err != nil || q.top < 1 || q.top > limit {
			return &problem{status: http.StatusBadRequest, code: "Request_BadRequest",
				message: fmt.Sprintf("Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", value, limit)}
		}
	case "skip":
		if q.skip, err = strconv.Atoi(value); err != nil || q.skip < 0 {
			return badQuery("Invalid value '%s' for $skip query option found.", value)
		}
	case "count":
		if q.count, err = strconv.ParseBool(value); err != nil {
			return badQuery("Invalid value '%s' for $count query option found.", value)
		}
	case "filter":
		q.filter = value
	case "orderby":
		q.orderBy = value
	case "skiptoken":
		q.token = value
	case "expand":
		q.expand = value
	default:
		q.plain[name] = value
	}
	return nil
}

// prefer reads the preferences that change a body here: page size and body type.
func (q *query) prefer(r *http.Request, t *target) {
	for _, header := range r.Header.Values("Prefer") {
		for preference := range strings.SplitSeq(header, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			value = strings.Trim(value, `"`)
			switch strings.ToLower(name) {
			case "odata.maxpagesize":
				if n, err := strconv.Atoi(value); err == nil && n >= 1 && q.top == 0 && !t.single {
					q.top = min(n, t.service.maxPage)
				}
			case "outlook.body-content-type":
				q.text = strings.EqualFold(value, "text")
			}
		}
	}
}

func lowerTrim(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// expands reads $expand, of which only some names are served. The value of each is what its parentheses hold.
func (q *query) expands(names ...string) (map[string]string, *problem) {
	if q.expand == "" {
		return nil, nil
	}
	found := map[string]string{}
	rest := strings.ToLower(strings.ReplaceAll(q.expand, " ", ""))
	for rest != "" {
		end := strings.IndexAny(rest, ",(")
		name, nested := rest, ""
		if end >= 0 {
			name = rest[:end]
		}
		switch rest = rest[len(name):]; {
		case strings.HasPrefix(rest, "("):
			closing := strings.LastIndex(rest, ")")
			if comma := strings.Index(rest, "),"); comma >= 0 {
				closing = comma
			}
			if closing < 0 {
				return nil, badQuery("Parsing OData Select and Expand failed: '%s'.", q.expand)
			}
			nested, rest = rest[1:closing], strings.TrimPrefix(rest[closing+1:], ",")
		default:
			rest = strings.TrimPrefix(rest, ",")
		}
		if !slices.Contains(names, name) {
			return nil, badQuery("Parsing OData Select and Expand failed: Could not find a property named '%s'.", name)
		}
		found[name] = nested
	}
	return found, nil
}
