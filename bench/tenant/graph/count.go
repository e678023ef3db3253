package graph

import "net/http"

// The counts of directory objects are text, not JSON, and want ConsistencyLevel: eventual.

func (s *Server) countUsers(a *answer, t *target, q *query) *problem {
	return s.count(a, q, &listing{target: t, total: s.cfg.Users}, s.columnsOfUsers())
}

func (s *Server) countGroups(a *answer, t *target, q *query) *problem {
	return s.count(a, q, &listing{target: t, total: s.cfg.Groups}, s.columnsOfGroups())
}

// countMembers counts the users and the three other things of a group.
func (s *Server) countMembers(a *answer, t *target, q *query) *problem {
	g, p := s.group(t)
	if p != nil {
		return p
	}
	return s.count(a, q, &listing{target: t, total: s.memberUsers(g) + 3}, nil)
}

// MemberCount returns the number of members of group i.
func (s *Server) MemberCount(i int) int { return s.memberUsers(i) + 3 }

func (s *Server) count(a *answer, q *query, l *listing, columns map[string]column) *problem {
	if !q.eventual {
		return &problem{status: http.StatusBadRequest, code: "Request_BadRequest", message: "$count is not currently supported."}
	}
	if p := s.arrange(l, &query{filter: q.filter, eventual: true, count: true}, columns, ""); p != nil {
		return p
	}
	a.start(http.StatusOK, "text/plain")
	a.doc = appendInt(a.doc, l.count())
	return nil
}
