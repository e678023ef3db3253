package graph

import (
	"cmp"
	"net/http"
)

// A delta query answers the whole collection page by page, and then a link to what will have changed. The tenant never changes, so
// what the link leads to is made up: each odd round has the first three records, of which the last is reported as removed where the
// service does so, and each even round has nothing.

const (
	changes   = 3
	roundBits = 32
)

// delta writes one page of a delta query. Its tokens hold the round and the position.
func (s *Server) delta(a *answer, q *query, l *listing) *problem {
	name := "$deltatoken"
	if l.target.service == drives {
		name = "token"
	}
	url := cmp.Or(l.url, s.here(a.r))
	tail := *l // tokens of a list are not good for delta
	tail.context += "#delta"
	var value uint64
	token := q.token + q.plain["deltatoken"] + q.plain["token"] + l.target.arguments["token"]
	switch token {
	case "":
	case "latest":
		value = 2 << roundBits // a round with nothing new
	default:
		if _, ok := readTime(token); ok && l.target.service == drives { // what changed since
			value = 1 << roundBits
			break
		}
		var ok bool
		if value, ok = s.readToken(&tail, q, token); !ok {
			return s.gone(a, q, &tail, url, name)
		}
	}
	round, start := value>>roundBits, int(value&(1<<roundBits-1))
	full := l.record
	switch {
	case round%2 == 1:
		l.total = min(changes, l.total)
		l.record = func(b []byte, i int) []byte {
			if l.removed != nil && i == l.at(l.total-1) && l.total > 1 {
				return l.removed(b, i)
			}
			return full(b, i)
		}
	case round > 0:
		l.total = 0
	}
	page, next := s.cut(a, q, l, start)
	if token == "" && l.target.service == drives { // which has nothing yet, but a link (graph-facts: "Pages may be empty")
		page, next = nil, 0
	}
	value = round<<roundBits | uint64(max(next, 0))
	switch {
	case next < 0:
		s.write(a, q, l, start, page, "@odata.deltaLink", url+"?"+tokenQuery(q, name, s.token(&tail, q, (round+1)<<roundBits)))
	case l.target.service == drives: // as the parameter of the function
		url += "(token='" + s.token(&tail, q, value) + "')"
		if others := q.others(); others != "" {
			url += "?" + others
		}
		s.write(a, q, l, start, page, "@odata.nextLink", url)
	default:
		s.write(a, q, l, start, page, "@odata.nextLink", url+"?"+tokenQuery(q, "$skiptoken", s.token(&tail, q, value)))
	}
	return nil
}

// gone is the answer to a token that is no longer good: where to begin anew.
func (s *Server) gone(a *answer, q *query, tail *listing, url, name string) *problem {
	a.w.Header().Set("Location", url+"?"+tokenQuery(q, name, s.token(tail, q, 0)))
	return &problem{status: http.StatusGone, code: "resyncChangesApplyDifferences",
		message: "Resync required. Replace any local items with the server's version and upload any local changes."}
}
