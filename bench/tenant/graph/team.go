package graph

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
)

// Teams are the groups that have mail: three of each four. Team k has 3 to 6 channels; the third is private and the fourth shared.

func (s *Server) teamGroup(k int) int   { return k/3*4 + k%3 }
func (s *Server) channels(g int) int    { d := s.keys.dice(kindChannel, g, 0); return 3 + d.below(4) }
func channelNumber(g, c int) int        { return g<<8 | c }
func (s *Server) isTeam(group int) bool { return group%4 != 3 }

// TeamCount returns the number of teams.
func (s *Server) TeamCount() int { return s.cfg.Groups - s.cfg.Groups/4 }

// TeamID returns the id of team k, which is that of its group.
func (s *Server) TeamID(k int) string { return s.GroupID(s.teamGroup(k)) }

// teamTable has the structural properties of microsoft.graph.team in v1.0. A list of teams has three of them; the others only by
// $select. Source: the v1.0 CSDL and teams-list of the Graph reference.
var teamTable = lines("microsoft.graph.team", `
id: "${id}"
displayName: "${name}"
description: "${text 9}"
`, `
createdDateTime: "${at -9000000}"
internalId: "19:${hex 16}@thread.tacv2"
classification: "${text 1}"
specialization: "none"
visibility: "private"
webUrl: "https://teams.microsoft.com/l/team/19%3a${hex 16}%40thread.tacv2/conversations?groupId=${id}&tenantId=${tenant}"
isArchived: false
tenantId: "${tenant}"
firstChannelName: "${text 2}"
memberSettings: {"allowCreateUpdateChannels":true,"allowCreatePrivateChannels":true,"allowDeleteChannels":true,"allowAddRemoveApps":true,"allowCreateUpdateRemoveTabs":true,"allowCreateUpdateRemoveConnectors":true}
guestSettings: {"allowCreateUpdateChannels":false,"allowDeleteChannels":false}
messagingSettings: {"allowUserEditMessages":true,"allowUserDeleteMessages":true,"allowOwnerDeleteMessages":true,"allowTeamMentions":true,"allowChannelMentions":true}
funSettings: {"allowGiphy":true,"giphyContentRating":"moderate","allowStickersAndMemes":true,"allowCustomMemes":true}
summary: {"ownersCount":2,"membersCount":${number 60},"guestsCount":${number 3}}
`, fillers{
	"id":   func(r *record, b []byte) []byte { return r.s.keys.appendGUID(b, kindGroup, uint64(r.n)) },
	"name": func(r *record, b []byte) []byte { return (&team{r.s, r.n}).appendName(b) },
})

// channelTable has the structural properties of microsoft.graph.channel in v1.0. Source: the v1.0 CSDL.
var channelTable = lines("microsoft.graph.channel", `
id: "${id}"
createdDateTime: "${precise -8000000}Z"
displayName: "${name}"
description: "${text 7}"
isFavoriteByDefault: null
email: "${text 1}@emea.teams.ms"
tenantId: "${tenant}"
webUrl: "https://teams.microsoft.com/l/channel/${escaped}/${escapedName}?groupId=${team}&tenantId=${tenant}&allowXTenantAccess=False"
membershipType: "${membership}"
isArchived: false
`, `
layoutType: "post"
migrationMode: "completed"
originalCreatedDateTime: "${at -9000000}"
summary: {"ownersCount":1,"membersCount":${number 60},"guestsCount":0,"hasMembersFromOtherTenants":false}
`, channelWords)

var channelWords = fillers{
	"id":      func(r *record, b []byte) []byte { return append(b, r.s.channelID(r.a, r.n)...) },
	"escaped": func(r *record, b []byte) []byte { return append(b, escapeThread(r.s.channelID(r.a, r.n))...) },
	"team":    func(r *record, b []byte) []byte { return r.s.keys.appendGUID(b, kindGroup, uint64(r.a)) },
	"name":    channelName,
	"escapedName": func(r *record, b []byte) []byte {
		return append(b, strings.ReplaceAll(string(channelName(r, nil)), " ", "%20")...)
	},
	"membership": func(r *record, b []byte) []byte {
		switch r.n {
		case 2:
			return append(b, "private"...)
		case 3:
			return append(b, "shared"...)
		}
		return append(b, "standard"...)
	},
}

// channelName is General for the first channel, which everybody has, and somebody's words for the others.
func channelName(r *record, b []byte) []byte {
	if r.n == 0 {
		return append(append(b, "General"...), r.s.cfg.OrgCanary...)
	}
	d := r.dice(1)
	return appendMark(append(append(b, pick(&d, topics)...), " room"...), r.s.cfg.Canary)
}

var channelAnnotation = compile(`"@odata.id":"${from}/tenants/${tenant}/teams/${team}/channels/${id}",`, 220, channelWords)

func (s *Server) channelID(g, c int) string {
	raw := s.keys.guidBytes(kindChannel, uint64(channelNumber(g, c)))
	return "19:" + hex.EncodeToString(raw[:]) + "@thread.tacv2"
}

// escapeThread writes the id of a thread as it stands in links.
func escapeThread(id string) string {
	return strings.NewReplacer(":", "%3a", "@", "%40").Replace(id)
}

func (s *Server) channelRecord(g, c int, from string) record {
	return record{s: s, kind: kindChannel, a: g, n: c, at: newest, who: s.memberUser(g, 0), from: from}
}

func (s *Server) listTeams(a *answer, t *target, q *query) *problem {
	l := &listing{target: t, context: "teams" + contextFields(q), total: s.TeamCount()}
	l.person = func(k int) string { return string((&team{s, s.teamGroup(k)}).appendMail(nil)) }
	columns := map[string]column{
		"id":          {quoted, s.TeamID},
		"displayname": {quoted, func(k int) string { return string((&team{s, s.teamGroup(k)}).appendName(nil)) }},
	}
	if p := s.arrange(l, q, columns, "teams", "displayname"); p != nil {
		return p
	}
	chosen, p := teamTable.choose(q.fields)
	if p != nil {
		return p
	}
	l.record = func(b []byte, k int) []byte {
		g := s.teamGroup(k)
		return append(chosen.append(append(b, '{'), &record{s: s, kind: kindGroup, n: g, at: newest, who: s.memberUser(g, 0)}), '}')
	}
	return s.list(a, q, l)
}

func (s *Server) team(t *target) (g int, p *problem) {
	g, ok := s.keys.position(kindGroup, t.keys[0], s.cfg.Groups)
	if !ok || !s.isTeam(g) {
		return 0, teamsNotFound("team", t.keys[0])
	}
	return g, nil
}

func teamsNotFound(what, key string) *problem {
	return &problem{status: http.StatusNotFound, code: "NotFound", message: fmt.Sprintf("No %s found with id '%s'.", what, key)}
}

// channel finds team and channel by the keys of a target.
func (s *Server) channel(t *target) (g, c int, p *problem) {
	if g, p = s.team(t); p != nil {
		return 0, 0, p
	}
	for c = range s.channels(g) {
		if s.channelID(g, c) == t.keys[1] {
			return g, c, nil
		}
	}
	return 0, 0, teamsNotFound("channel", t.keys[1])
}

func (s *Server) listChannels(a *answer, t *target, q *query) *problem {
	g, p := s.team(t)
	if p != nil {
		return p
	}
	l := &listing{target: t, context: keyIn("teams", t.keys[0]) + "/allChannels" + contextFields(q), total: s.channels(g)}
	l.person = func(c int) string { return s.channelID(g, c) }
	columns := map[string]column{"membershiptype": {quoted, func(c int) string {
		r := s.channelRecord(g, c, "")
		return string(channelWords["membership"](&r, nil))
	}}}
	if p := s.arrange(l, q, columns, ""); p != nil {
		return p
	}
	chosen, p := channelTable.choose(q.fields)
	if p != nil {
		return p
	}
	from := s.version(a.r)
	l.record = func(b []byte, c int) []byte {
		r := s.channelRecord(g, c, from)
		return append(chosen.append(channelAnnotation.write(&r, append(b, '{')), &r), '}')
	}
	return s.list(a, q, l)
}

// ChannelIDs returns the ids of the channels of team k.
func (s *Server) ChannelIDs(k int) (ids []string) {
	g := s.teamGroup(k)
	for c := range s.channels(g) {
		ids = append(ids, s.channelID(g, c))
	}
	return ids
}
