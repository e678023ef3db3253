package graph

import (
	"slices"
	"strings"
)

// team is group i.
type team struct {
	s *Server
	i int
}

var topics = []string{"All Employees", "Finance", "Works Council", "Project Aurora", "Leadership", "Sales EMEA", "Recruiting", "Legal", "Platform",
	"Payroll", "Night Shift", "Book Club", "Alumni"}

func (g *team) topic() string { return topics[g.i%len(topics)] }

// appendName writes the display name. A group is named by its owner, so it bears the canary of people.
func (g *team) appendName(b []byte) []byte {
	b = append(b, g.topic()...)
	if round := g.i / len(topics); round > 0 {
		b = appendInt(append(b, ' '), round+1)
	}
	return appendMark(b, g.s.cfg.Canary)
}

func (g *team) appendNickname(b []byte) []byte {
	b = appendInt(append(b, "team"...), g.i)
	return append(b, g.s.cfg.Canary...)
}

func (g *team) appendMail(b []byte) []byte {
	return append(append(g.appendNickname(b), '@'), g.s.cfg.Domain...)
}

func (g *team) mailEnabled() bool { return g.i%4 != 3 }

func teamText(write func(*team, []byte) []byte) func(*team, []byte) []byte {
	return func(g *team, b []byte) []byte { return append(write(g, append(b, '"')), '"') }
}

func teamWritten(n, words int) func(*team, []byte) []byte {
	return func(g *team, b []byte) []byte {
		d := g.s.keys.dice(kindGroup, g.i, n)
		b = appendSentence(append(b, '"'), &d, words)
		return append(appendMark(b, g.s.cfg.Canary), '"')
	}
}

func teamGUID(n kind) func(*team, []byte) []byte {
	return func(g *team, b []byte) []byte {
		return append(g.s.keys.appendGUID(append(b, '"'), n, uint64(g.i)), '"')
	}
}

// groupTable has the structural properties of microsoft.graph.group in v1.0; the second list only by $select.
// Source: the v1.0 CSDL and group-get of the Graph reference.
var groupTable = newTable("microsoft.graph.group",
	[]property[team]{
		{"id", teamGUID(kindGroup)},
		{"deletedDateTime", raw[team](`null`)},
		{"classification", func(g *team, b []byte) []byte {
			return append(append(append(b, `"High business impact`...), g.s.cfg.OrgCanary...), '"')
		}},
		{"createdDateTime", raw[team](`"2024-05-14T09:30:12Z"`)},
		{"description", teamWritten(2, 9)},
		{"displayName", teamText((*team).appendName)},
		{"expirationDateTime", raw[team](`null`)},
		{"groupTypes", (*team).groupTypes},
		{"isAssignableToRole", raw[team](`null`)},
		{"mail", (*team).mail},
		{"mailEnabled", func(g *team, b []byte) []byte { return appendBool(b, g.mailEnabled()) }},
		{"mailNickname", teamText((*team).appendNickname)},
		{"membershipRule", (*team).membershipRule},
		{"membershipRuleProcessingState", (*team).membershipRuleProcessingState},
		{"onPremisesDomainName", raw[team](`null`)},
		{"onPremisesLastSyncDateTime", raw[team](`"2026-08-03T02:00:41Z"`)},
		{"onPremisesNetBiosName", func(g *team, b []byte) []byte {
			return append(append(append(b, `"CORP`...), g.s.cfg.OrgCanary...), '"')
		}},
		{"onPremisesSamAccountName", teamText((*team).appendNickname)},
		{"onPremisesSecurityIdentifier", teamSID(domainSID)},
		{"onPremisesSyncEnabled", raw[team](`null`)},
		{"preferredDataLocation", raw[team](`"EUR"`)},
		{"preferredLanguage", raw[team](`null`)},
		{"proxyAddresses", (*team).proxyAddresses},
		{"renewedDateTime", raw[team](`"2026-01-09T09:30:12Z"`)},
		{"resourceBehaviorOptions", raw[team](`["WelcomeEmailDisabled"]`)},
		{"resourceProvisioningOptions", raw[team](`["Team"]`)},
		{"securityEnabled", func(g *team, b []byte) []byte { return appendBool(b, !g.mailEnabled()) }},
		{"securityIdentifier", teamSID(cloudSID)},
		{"theme", raw[team](`"Teal"`)},
		{"visibility", raw[team](`"Private"`)},
		{"onPremisesProvisioningErrors", (*team).provisioningErrors},
		{"serviceProvisioningErrors", (*team).serviceErrors},
	},
	[]property[team]{
		{"accessType", raw[team](`"private"`)},
		{"allowExternalSenders", raw[team](`false`)},
		{"assignedLabels", (*team).assignedLabels},
		{"assignedLicenses", raw[team](`[{"disabledPlans":["11651c23-8f52-4ba6-9d3f-8e0f7ef0c3a1"],"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900"}]`)},
		{"autoSubscribeNewMembers", raw[team](`true`)},
		{"hasMembersWithLicenseErrors", raw[team](`false`)},
		{"hideFromAddressLists", raw[team](`false`)},
		{"hideFromOutlookClients", raw[team](`false`)},
		{"infoCatalogs", raw[team](`["bookable"]`)},
		{"isArchived", raw[team](`false`)},
		{"isFavorite", raw[team](`false`)},
		{"isManagementRestricted", raw[team](`false`)},
		{"isSubscribedByMail", raw[team](`true`)},
		{"licenseProcessingState", raw[team](`{"state":"ProcessingComplete"}`)},
		{"onPremisesExtensionAttributes", (*team).extensionAttributes},
		{"organizationId", func(g *team, b []byte) []byte { return append(append(append(b, '"'), g.s.cfg.TenantID...), '"') }},
		{"uniqueName", teamText((*team).appendNickname)},
		{"unseenConversationsCount", raw[team](`2`)},
		{"unseenCount", raw[team](`5`)},
		{"unseenMessagesCount", raw[team](`3`)},
		{"welcomeMessageEnabled", raw[team](`true`)},
	})

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, `true`...)
	}
	return append(b, `false`...)
}

func (g *team) groupTypes(b []byte) []byte {
	if g.mailEnabled() {
		return append(b, `["Unified"]`...)
	}
	return append(b, `["DynamicMembership"]`...)
}

func (g *team) mail(b []byte) []byte {
	if !g.mailEnabled() {
		return append(b, `null`...)
	}
	return append(g.appendMail(append(b, '"')), '"')
}

func (g *team) membershipRule(b []byte) []byte {
	if g.mailEnabled() {
		return append(b, `null`...)
	}
	p := g.s.person(g.i % g.s.cfg.Users)
	b = append(b, `"user.mail -eq \"`...)
	return append(p.appendMail(b), `\""`...)
}

func (g *team) membershipRuleProcessingState(b []byte) []byte {
	if g.mailEnabled() {
		return append(b, `null`...)
	}
	return append(b, `"On"`...)
}

func teamSID(root string) func(*team, []byte) []byte {
	return func(g *team, b []byte) []byte {
		d := g.s.keys.dice(kindGroup, g.i, 3)
		b = append(append(b, '"'), root...)
		for range 4 {
			b = appendInt(append(b, '-'), d.below(1<<32))
		}
		return append(b, '"')
	}
}

func (g *team) proxyAddresses(b []byte) []byte {
	if !g.mailEnabled() {
		return append(b, `[]`...)
	}
	b = append(g.appendMail(append(b, `["SMTP:`...)), `","smtp:`...)
	return append(g.appendMail(b), `"]`...)
}

func (g *team) provisioningErrors(b []byte) []byte {
	if g.i%3 != 0 {
		return append(b, `[]`...)
	}
	b = append(b, `[{"category":"PropertyConflict","occurredDateTime":"2026-02-11T06:30:00Z","propertyCausingError":"ProxyAddresses","value":"SMTP:`...)
	return append(g.appendMail(b), `"}]`...)
}

func (g *team) serviceErrors(b []byte) []byte {
	if g.i%3 != 0 {
		return append(b, `[]`...)
	}
	b = append(b, `[{"@odata.type":"#microsoft.graph.serviceProvisioningXmlError","createdDateTime":"2026-02-11T06:30:00Z","isResolved":false,"serviceInstance":"exchange/eurprd04","errorDetail":"<Error><Owner>`...)
	return append(g.appendMail(b), `</Owner></Error>"}]`...)
}

func (g *team) assignedLabels(b []byte) []byte {
	b = append(b, `[{"labelId":"`...)
	b = g.s.keys.appendGUID(b, kindSecret, uint64(g.i)<<8)
	b = append(b, `","displayName":`...)
	return append(teamWritten(4, 2)(g, b), `}]`...)
}

func (g *team) extensionAttributes(b []byte) []byte {
	for n := range 15 {
		separator := `,"extensionAttribute`
		if n == 0 {
			separator = `{"extensionAttribute`
		}
		b = append(appendInt(append(b, separator...), n+1), `":`...)
		b = teamWritten(20+n, 2)(g, b)
	}
	return append(b, '}')
}

func (s *Server) columnsOfGroups() map[string]column {
	text := func(write func(*team, []byte) []byte) column {
		return column{quoted, func(i int) string { return string(write(&team{s, i}, nil)) }}
	}
	return map[string]column{
		"id":           {quoted, s.GroupID},
		"displayname":  text((*team).appendName),
		"mail":         text((*team).appendMail),
		"mailnickname": text((*team).appendNickname),
		"mailenabled":  {boolean, func(i int) string { g := team{s, i}; return string(appendBool(nil, g.mailEnabled())) }},
	}
}

func (s *Server) listGroups(a *answer, t *target, q *query) *problem {
	l, _, p := s.groups(t, q)
	if p != nil {
		return p
	}
	return s.list(a, q, l)
}

// listGroupChanges answers delta: a group comes with its first users, or in later rounds with those who came and went.
func (s *Server) listGroupChanges(a *answer, t *target, q *query) *problem {
	l, chosen, p := s.groups(t, q)
	if p != nil {
		return p
	}
	l.record = func(b []byte, i int) []byte {
		b = append(chosen.append(append(b, '{'), &team{s, i}), `,"members@delta":[`...)
		for k := range min(s.memberUsers(i), 20) {
			if k > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"@odata.type":"#microsoft.graph.user","id":"`...)
			b = append(s.keys.appendGUID(b, kindUser, uint64(s.memberUser(i, k))), '"')
			if k%5 == 4 {
				b = append(b, `,"@removed":{"reason":"deleted"}`...)
			}
			b = append(b, '}')
		}
		return append(b, `]}`...)
	}
	l.removed = func(b []byte, i int) []byte {
		b = append(b, `{"@removed":{"reason":"deleted"},"id":"`...)
		return append(s.keys.appendGUID(b, kindGroup, uint64(i)), `"}`...)
	}
	return s.delta(a, q, l)
}

func (s *Server) groups(t *target, q *query) (*listing, selection[team], *problem) {
	l := &listing{target: t, context: "groups" + contextFields(q), total: s.cfg.Groups}
	l.person = func(i int) string { return string((&team{s, i}).appendMail(nil)) }
	if p := s.arrange(l, q, s.columnsOfGroups(), "groups", "displayname"); p != nil {
		return nil, nil, p
	}
	chosen, p := groupTable.choose(slices.DeleteFunc(slices.Clone(q.fields), func(f string) bool { return strings.EqualFold(f, "members") && t.takes("deltatoken") }))
	if p != nil {
		return nil, nil, p
	}
	l.record = func(b []byte, i int) []byte { return append(chosen.append(append(b, '{'), &team{s, i}), '}') }
	return l, chosen, nil
}

func (s *Server) getGroup(a *answer, t *target, q *query) *problem {
	i, p := s.group(t)
	if p != nil {
		return p
	}
	chosen, p := groupTable.choose(q.fields)
	if p != nil {
		return p
	}
	a.entity("groups"+contextFields(q), func(b []byte) []byte { return chosen.append(b, &team{s, i}) })
	return nil
}
