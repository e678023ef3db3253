package graph

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// listing is a collection to be paged through: total records in an order, of which filter keeps some.
type listing struct {
	target  *target
	context string // of @odata.context, after $metadata#
	total   int
	order   func(position int) int // nil: the record number is the position
	keep    func(i int) bool       // nil: all
	record  func(b []byte, i int) []byte
	removed func(b []byte, i int) []byte // delta only: what says that a record is gone; nil where nothing does
	url     string                       // of links, without a query; empty: the one that was asked for
	person  func(i int) string           // who or what stands in the token of a page that begins with i; nil where pages are counted with $skip
}

func (l *listing) at(position int) int {
	if l.order == nil {
		return position
	}
	return l.order(position)
}

// list writes one page.
func (s *Server) list(a *answer, q *query, l *listing) *problem {
	start, p := s.firstPosition(q, l)
	if p != nil {
		return p
	}
	page, next := s.cut(a, q, l, start)
	link := ""
	switch {
	case next < 0:
	case l.target.service.skips:
		link = s.here(a.r) + "?" + skipQuery(q, l.target.service, q.skip+len(page))
	default:
		link = s.here(a.r) + "?" + tokenQuery(q, "$skiptoken", s.token(l, q, uint64(next)))
	}
	s.write(a, q, l, start, page, "@odata.nextLink", link)
	return nil
}

// cut takes the records of a page, and where the next begins, or -1.
func (s *Server) cut(a *answer, q *query, l *listing, start int) (page []int, next int) {
	if a.f.EmptyPage && start < l.total {
		return nil, start
	}
	return l.page(start, cmp.Or(q.top, l.target.service.page))
}

// write writes a page and its link, if there is one. Some services put the link before the records and some after them.
func (s *Server) write(a *answer, q *query, l *listing, start int, page []int, annotation, link string) {
	service, h := l.target.service, a.w.Header()
	if q.text {
		h.Add("Preference-Applied", `outlook.body-content-type="text"`)
	}
	switch service {
	case outlook:
		h.Set("X-ProxyCluster", string(s.keys.guid(kindSecret, 1)))
	case directory:
		h.Set("x-ms-resource-unit", "2")
	}
	a.start(http.StatusOK, jsonContent)
	a.doc = append(a.doc, `{"@odata.context":`...)
	a.doc = appendString(a.doc, s.metadata(a.r)+l.context)
	switch {
	case service.counts: // always, and the page instead of the collection
		a.doc = appendInt(append(a.doc, `,"@odata.count":`...), len(page))
	case q.count && (service != directory || q.eventual && q.token == ""):
		a.doc = appendInt(append(a.doc, `,"@odata.count":`...), l.count())
	}
	if link != "" && !service.linkLast {
		a.annotate(annotation, link)
	}
	a.doc = append(a.doc, `,"value":[`...)
	if a.f.Records > 0 && l.total > 0 {
		page = make([]int, a.f.Records)
		for k := range page {
			page[k] = l.at((start + k) % l.total)
		}
	}
	for k, i := range page {
		if k > 0 {
			a.doc = append(a.doc, ',')
		}
		if a.doc = l.record(a.doc, i); !a.more() {
			return
		}
	}
	a.doc = append(a.doc, ']')
	if link != "" && service.linkLast {
		a.annotate(annotation, link)
	}
	a.doc = append(a.doc, '}')
}

func (a *answer) annotate(annotation, link string) {
	a.doc = append(appendString(append(a.doc, ','), annotation), ':')
	a.doc = appendString(a.doc, link)
}

// page returns the records from a position on, and the position of the first one after them that a next page would have, or -1.
func (l *listing) page(start, size int) (page []int, next int) {
	for position := start; position < l.total; position++ {
		i := l.at(position)
		if l.keep != nil && !l.keep(i) {
			continue
		}
		if len(page) == size {
			return page, position
		}
		page = append(page, i)
	}
	return page, -1
}

func (l *listing) count() (n int) {
	if l.keep == nil {
		return l.total
	}
	for position := range l.total {
		if l.keep(l.at(position)) {
			n++
		}
	}
	return n
}

// firstPosition finds where the page begins: $skip counts kept records, $skiptoken says the position.
func (s *Server) firstPosition(q *query, l *listing) (int, *problem) {
	if q.token != "" {
		position, ok := s.readToken(l, q, q.token)
		if !ok || position >= uint64(l.total) {
			return 0, &problem{status: http.StatusBadRequest, code: l.target.service.badToken,
				message: "The specified page token value '" + q.token + "' has expired or is invalid."}
		}
		return int(position), nil
	}
	if l.keep == nil || q.skip == 0 {
		return min(q.skip, l.total), nil
	}
	if _, next := l.page(0, q.skip); next >= 0 {
		return next, nil
	}
	return l.total, nil
}

// origin is the scheme and host of links.
func (s *Server) origin(r *http.Request) string {
	if s.cfg.BaseURL != "" {
		return strings.TrimSuffix(s.cfg.BaseURL, "/")
	}
	return "https://" + r.Host
}

// version is what the links inside of records begin with.
func (s *Server) version(r *http.Request) string { return s.origin(r) + "/" + versionOf(r) }

// metadata is what every @odata.context begins with.
func (s *Server) metadata(r *http.Request) string {
	return s.origin(r) + "/" + versionOf(r) + "/$metadata#"
}

// here is the requested URL without the query, as links repeat it.
func (s *Server) here(r *http.Request) string { return s.origin(r) + r.URL.EscapedPath() }

// others are the options as they came, without tokens.
func (q *query) others() string {
	var kept []string
	for _, o := range q.options {
		if o.name != "skiptoken" && o.name != "deltatoken" && o.name != "token" {
			kept = append(kept, o.raw)
		}
	}
	return strings.Join(kept, "&")
}

// tokenQuery repeats the options, and ends in a token under this name.
func tokenQuery(q *query, name, token string) string {
	others := q.others()
	if others != "" {
		others += "&"
	}
	return others + name + "=" + token
}

// skipQuery repeats the options with an escaped "$", and always says $top, where the service takes it, and $skip.
func skipQuery(q *query, service *service, skip int) string {
	if service.noTop {
		return "$skip=" + strconv.Itoa(skip)
	}
	var b strings.Builder
	for _, o := range q.options {
		if o.name != "top" && o.name != "skip" {
			if rest, dollar := strings.CutPrefix(o.raw, "$"); dollar {
				b.WriteString("%24" + rest + "&")
			} else {
				b.WriteString(o.raw + "&")
			}
		}
	}
	return b.String() + "%24top=" + strconv.Itoa(cmp.Or(q.top, service.page)) + "&%24skip=" + strconv.Itoa(skip)
}

// sorted returns the order of records by a text value, computed once per collection and property.
func (s *Server) sorted(name string, total int, value func(i int) string, descending bool) func(int) int {
	s.ordersMu.Lock()
	order := s.orders[name]
	if order == nil {
		texts := make([]string, total)
		order = make([]int32, total)
		for i := range total {
			texts[i], order[i] = strings.ToLower(value(i)), int32(i)
		}
		slices.SortStableFunc(order, func(a, b int32) int { return strings.Compare(texts[a], texts[b]) })
		s.orders[name] = order
	}
	s.ordersMu.Unlock()
	if descending {
		return func(position int) int { return int(order[total-1-position]) }
	}
	return func(position int) int { return int(order[position]) }
}

// keyIn writes a key inside the quotes of a context, such as users('…').
func keyIn(collection, key string) string {
	return collection + "('" + url.PathEscape(strings.ReplaceAll(key, "'", "''")) + "')"
}

// arrange applies $filter and $orderby to a listing: any column filters, those named sortable sort.
func (s *Server) arrange(l *listing, q *query, columns map[string]column, name string, sortable ...string) *problem {
	if q.filter != "" {
		keep, advanced, p := compileFilter(q.filter, columns)
		if p != nil {
			return p
		}
		if advanced && l.target.service == directory && !(q.eventual && q.count) {
			return &problem{status: http.StatusBadRequest, code: "Request_UnsupportedQuery",
				message: "Unsupported or invalid query filter clause specified: '" + q.filter + "'."}
		}
		l.keep = keep
	}
	if q.orderBy == "" {
		return nil
	}
	by, direction, _ := strings.Cut(lowerTrim(q.orderBy), " ")
	descending := direction == "desc"
	if !slices.Contains(sortable, by) || direction != "" && direction != "asc" && !descending {
		return badQuery("Invalid orderby clause: '%s'.", q.orderBy)
	}
	if l.keep != nil && l.target.service == directory && !(q.eventual && q.count) {
		return &problem{status: http.StatusBadRequest, code: "Request_UnsupportedQuery", message: "Sorting not supported for current query: '" + q.orderBy + "'."}
	}
	l.order = s.sorted(name+"/"+by, l.total, columns[by].value, descending)
	return nil
}
