package graph

// memberUser returns user k of group g; the users of a group are neighbours, so nobody is twice in one.
func (s *Server) memberUser(g, k int) int {
	d := s.keys.dice(kindGroup, g, 5)
	return (d.below(s.cfg.Users) + k) % s.cfg.Users
}

// memberUsers is how many users a group has.
func (s *Server) memberUsers(g int) int {
	if g == 0 {
		return s.cfg.Users
	}
	d := s.keys.dice(kindGroup, g, 6)
	return min(3+d.below(60), s.cfg.Users)
}

// listMembers answers /members: users, then a group, a device and a contact.
func (s *Server) listMembers(a *answer, t *target, q *query) *problem {
	g, p := s.group(t)
	if p != nil {
		return p
	}
	people := s.memberUsers(g)
	l, chosen, visible, p := s.members(t, q, g)
	if p != nil {
		return p
	}
	l.context, l.total = "directoryObjects"+contextFields(q), people+3
	l.record = func(b []byte, k int) []byte {
		if k >= people {
			return s.appendThing(b, g, k-people, visible)
		}
		p := s.person(s.memberUser(g, k))
		return append(chosen.append(append(b, `{"@odata.type":"#microsoft.graph.user",`...), &p), '}')
	}
	return s.list(a, q, l)
}

// listMemberUsers answers the cast of members to users.
func (s *Server) listMemberUsers(a *answer, t *target, q *query) *problem {
	g, p := s.group(t)
	if p != nil {
		return p
	}
	l, chosen, _, p := s.members(t, q, g)
	if p != nil {
		return p
	}
	l.record = func(b []byte, k int) []byte {
		p := s.person(s.memberUser(g, k))
		return append(chosen.append(append(b, '{'), &p), '}')
	}
	return s.list(a, q, l)
}

// members is what both have in common: the users, and what of them the token may see.
func (s *Server) members(t *target, q *query, g int) (l *listing, chosen selection[person], visible bool, p *problem) {
	l = &listing{target: t, context: "users" + contextFields(q), total: s.memberUsers(g)}
	l.person = func(k int) string { return s.UserPrincipalName(s.memberUser(g, k)) }
	if q.filter != "" || q.orderBy != "" {
		return nil, nil, false, badQuery("$filter '%s' and $orderby '%s' are not supported on members.", q.filter, q.orderBy)
	}
	if chosen, p = s.chooseUser(&query{fields: q.fields}, true, true); p != nil {
		return nil, nil, false, p
	}
	// Without a user permission, members are known by type and id only.
	visible = holds(t.roles, "User.Read.All", "User.ReadBasic.All", "Directory.Read.All")
	if !visible {
		chosen, _ = chosen.mask([]string{"id"})
	} else if !holds(t.roles, "User.Read.All", "Directory.Read.All") {
		chosen, _ = chosen.mask(basicProperties)
	}
	return l, chosen, visible, nil
}

// appendThing writes a member that is no user: a nested group, a device, a contact.
func (s *Server) appendThing(b []byte, g, which int, visible bool) []byte {
	p := s.person(s.memberUser(g, 0))
	switch which {
	case 0:
		nested := &team{s, (g + 1) % s.cfg.Groups}
		chosen := groupTable.properties[:groupTable.standard]
		b = append(b, `{"@odata.type":"#microsoft.graph.group",`...)
		if !visible {
			chosen = chosen[:1]
		}
		return append(selection[team](chosen).append(b, nested), '}')
	case 1:
		b = append(b, `{"@odata.type":"#microsoft.graph.device","id":"`...)
		b = append(s.keys.appendGUID(b, kindDevice, uint64(g)), '"')
		if visible {
			b = s.keys.appendGUID(append(b, `,"deviceId":"`...), kindSecret, uint64(g)<<16)
			b = p.appendLocal(append(b, `","displayName":"LAPTOP-`...))
			b = append(b, `","operatingSystem":"Windows","operatingSystemVersion":"10.0.26100.4061","isCompliant":true,"accountEnabled":true,"physicalIds":["[HWID]:h:`...)
			b = append(p.appendLocal(b), `"]`...)
		}
	default:
		b = append(b, `{"@odata.type":"#microsoft.graph.orgContact","id":"`...)
		b = append(s.keys.appendGUID(b, kindContact, uint64(g)), '"')
		if visible {
			b = p.appendDisplayName(append(b, `,"displayName":"`...))
			b = p.givenName(append(b, `","givenName":`...))
			b = p.surname(append(b, `,"surname":`...))
			b = privateMail(&p, append(b, `,"mail":`...))
			b = p.appendPhone(append(b, `,"phones":[{"type":"mobile","number":"`...), 1)
			b = append(b, `"}]`...)
		}
	}
	return append(b, '}')
}
