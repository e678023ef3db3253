package graph

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
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
	person  func(i int) string // who stands in the $skiptoken; nil where pages are counted with $skip
}

func (l *listing) at(position int) int {
	if l.order == nil {
		return position
	}
	return l.order(position)
}

// list writes one page. Some services put the link before the records and some after them.
func (s *Server) list(a *answer, q *query, l *listing) *problem {
	start, p := s.firstPosition(q, l)
	if p != nil {
		return p
	}
	size := q.top
	if size == 0 {
		size = l.target.service.page
	}
	page, next := l.page(start, size)
	if a.f.EmptyPage && start < l.total {
		page, next = nil, start
	}
	h := a.w.Header()
	if q.text {
		h.Add("Preference-Applied", `outlook.body-content-type="text"`)
	}
	switch l.target.service {
	case outlook:
		h.Set("X-ProxyCluster", string(s.keys.guid(kindSecret, 1)))
	case directory:
		h.Set("x-ms-resource-unit", "2")
	}
	a.start(http.StatusOK, jsonContent)
	a.doc = append(a.doc, `{"@odata.context":`...)
	a.doc = appendString(a.doc, s.metadata(a.r)+l.context)
	if q.count && (l.target.service != directory || q.eventual && q.token == "") {
		a.doc = append(a.doc, `,"@odata.count":`...)
		a.doc = strconv.AppendInt(a.doc, int64(l.count()), 10)
	}
	link := ""
	switch {
	case next < 0:
	case l.target.service.skips:
		skip := q.skip + len(page)
		link = s.origin(a.r) + a.r.URL.EscapedPath() + "?" + outlookQuery(q, size, skip)
	default:
		link = s.origin(a.r) + a.r.URL.EscapedPath() + "?" + directoryQuery(q, s.skipToken(q, l, next))
	}
	if link != "" && !l.target.service.linkLast {
		a.link(link)
	}
	a.doc = append(a.doc, `,"value":[`...)
	if a.f.Records > 0 && l.total > 0 {
		for k := range a.f.Records {
			if k > 0 {
				a.doc = append(a.doc, ',')
			}
			if a.doc = l.record(a.doc, l.at((start+k)%l.total)); !a.more() {
				return nil
			}
		}
	} else {
		for k, i := range page {
			if k > 0 {
				a.doc = append(a.doc, ',')
			}
			if a.doc = l.record(a.doc, i); !a.more() {
				return nil
			}
		}
	}
	a.doc = append(a.doc, ']')
	if link != "" && l.target.service.linkLast {
		a.link(link)
	}
	a.doc = append(a.doc, '}')
	return nil
}

func (a *answer) link(link string) {
	a.doc = append(a.doc, `,"@odata.nextLink":`...)
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
		position, ok := s.readSkipToken(q, l)
		if !ok {
			return 0, &problem{status: http.StatusBadRequest, code: "Directory_ExpiredPageToken",
				message: "The specified page token value '" + q.token + "' has expired or is invalid."}
		}
		return position, nil
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

// metadata is what every @odata.context begins with.
func (s *Server) metadata(r *http.Request) string {
	return s.origin(r) + "/" + versionOf(r) + "/$metadata#"
}

// directoryQuery repeats the options as they came.
func directoryQuery(q *query, token string) string {
	var b strings.Builder
	for _, o := range q.options {
		if o.name != "skiptoken" {
			b.WriteString(o.raw + "&")
		}
	}
	return b.String() + "$skiptoken=" + token
}

// outlookQuery repeats the options with an escaped "$", and always says $top and $skip.
func outlookQuery(q *query, top, skip int) string {
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
	return b.String() + "%24top=" + strconv.Itoa(top) + "&%24skip=" + strconv.Itoa(skip)
}

// skipToken is opaque like the directory's: binary that begins with "DSpt" and holds the name of a person (graph-facts: "Do tokens
// embed user data? Yes"), here with the position and a check that binds it to path, $filter and $orderby.
func (s *Server) skipToken(q *query, l *listing, position int) string {
	b := []byte("DSpt\x02\x00\x01\x00\x00\x00")
	name := ":" + l.person(l.at(position))
	b = append(b, byte(len(name)))
	b = append(b, name...)
	b = binary.BigEndian.AppendUint64(b, s.keys.scramble(kindSecret, uint64(position)))
	b = binary.BigEndian.AppendUint64(b, s.tokenCheck(q, l, position))
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *Server) readSkipToken(q *query, l *listing) (position int, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(q.token)
	if err != nil || len(raw) < 16 {
		return 0, false
	}
	at := s.keys.unscramble(kindSecret, binary.BigEndian.Uint64(raw[len(raw)-16:]))
	if at >= uint64(l.total) || s.skipToken(q, l, int(at)) != q.token {
		return 0, false
	}
	return int(at), true
}

func (s *Server) tokenCheck(q *query, l *listing, position int) uint64 {
	h := fnv.New64a()
	h.Write([]byte(l.context + "\x00" + q.filter + "\x00" + q.orderBy))
	return s.keys.scramble(kindSecret, h.Sum64()+uint64(position))
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
