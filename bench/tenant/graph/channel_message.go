package graph

import (
	"fmt"
	"time"
)

// A channel has Messages/4 messages and a few more, newest first. Message m has m%4 replies, or 30 when m%40 is 9.

const postSpacing = 53 * time.Minute

func (s *Server) posts(channel int) int {
	d := s.keys.dice(kindChannelMessage, channel, 0)
	return s.cfg.Messages/4 + 3 + d.below(9)
}

func replies(m int) int {
	if m%40 == 9 {
		return 30
	}
	return m % 4
}

// ChannelMessageCount returns how many messages channel c of team k has, replies not counted.
func (s *Server) ChannelMessageCount(k, c int) int { return s.posts(channelNumber(s.teamGroup(k), c)) }

// postTime is when message m of a channel, or its reply from 1 on, was written. No two of a channel are of the same millisecond.
func (s *Server) postTime(channel, m, reply int) time.Time {
	d := s.keys.dice(kindChannelMessage, channel, m)
	return newest.Add(-time.Duration(m)*postSpacing - time.Duration(d.below(900_000))*time.Millisecond + time.Duration(reply)*31*time.Second)
}

// post is a message of a channel, by one of the team.
func (s *Server) post(channel, m, reply int) record {
	d := s.keys.dice(kindChannelMessage, channel, m|reply<<24)
	group := channel >> 8
	return record{s: s, kind: kindChannelMessage, a: channel, n: m | reply<<24, at: s.postTime(channel, m, reply),
		who: s.memberUser(group, d.below(s.memberUsers(group)))}
}

// expanded is how many replies come with a message; the others are behind replies@odata.nextLink. (Graph has 1,000 and a link after them.)
const expanded = 20

func (s *Server) listPosts(a *answer, t *target, q *query) *problem {
	l, p := s.channelPosts(a, t, q, "")
	if p != nil {
		return p
	}
	return s.list(a, q, l)
}

// listPostChanges answers delta: the same messages, then what changed.
func (s *Server) listPostChanges(a *answer, t *target, q *query) *problem {
	l, p := s.channelPosts(a, t, q, "/delta")
	if p != nil {
		return p
	}
	return s.delta(a, q, l)
}

func (s *Server) channelPosts(a *answer, t *target, q *query, delta string) (*listing, *problem) {
	g, c, p := s.channel(t)
	if p != nil {
		return nil, p
	}
	with, p := q.expands("replies")
	if p != nil {
		return nil, p
	}
	n := channelNumber(g, c)
	context := "teams('" + t.keys[0] + "')/channels('" + escapeThread(t.keys[1]) + "')/messages"
	l := &listing{target: t, context: context + contextFields(q), total: s.posts(n)}
	if delta != "" {
		l.context = "Collection(chatMessage)"
	}
	l.person = func(m int) string { return fmt.Sprintf("+RID:~%s#RT:1#TRC:%d", t.keys[1], m) }
	if p := newestFirst(q); p != nil {
		return nil, p
	}
	if p := s.arrange(l, &query{filter: q.filter}, messageColumns(func(m int) time.Time { return s.postTime(n, m, 0) }), ""); p != nil {
		return nil, p
	}
	chosen, p := chatMessageTable.choose(q.fields)
	if p != nil {
		return nil, p
	}
	l.record = func(b []byte, m int) []byte {
		r := s.post(n, m, 0)
		b = chosen.append(append(b, '{'), &r)
		if with != nil {
			b = s.appendReplies(a, b, context, n, m, chosen)
		}
		return append(b, '}')
	}
	return l, nil
}

func (s *Server) appendReplies(a *answer, b []byte, context string, channel, m int, chosen selection[record]) []byte {
	id := fmt.Sprint(s.postTime(channel, m, 0).UnixMilli())
	b = append(b, `,"replies@odata.context":`...)
	b = appendString(b, s.metadata(a.r)+context+"('"+id+"')/replies")
	b = appendInt(append(b, `,"replies@odata.count":`...), replies(m))
	if replies(m) > expanded {
		b = append(b, `,"replies@odata.nextLink":`...)
		link := s.version(a.r) + "/teams/" + s.GroupID(channel>>8) + "/channels/" + s.channelID(channel>>8, channel&255) + "/messages/" + id + "/replies"
		b = appendString(b, link+"?$top="+fmt.Sprint(expanded))
	}
	b = append(b, `,"replies":[`...)
	for k := range min(replies(m), expanded) {
		if k > 0 {
			b = append(b, ',')
		}
		r := s.post(channel, m, k+1)
		b = append(chosen.append(append(b, '{'), &r), '}')
	}
	return append(b, ']')
}

// listReplies answers the replies to one message.
func (s *Server) listReplies(a *answer, t *target, q *query) *problem {
	g, c, p := s.channel(t)
	if p != nil {
		return p
	}
	n, m := channelNumber(g, c), -1
	for k := range s.posts(n) {
		if fmt.Sprint(s.postTime(n, k, 0).UnixMilli()) == t.keys[2] {
			m = k
		}
	}
	if m < 0 {
		return teamsNotFound("message", t.keys[2])
	}
	if q.filter != "" || q.orderBy != "" {
		return badQuery("$filter '%s' and $orderby '%s' are not supported on replies.", q.filter, q.orderBy)
	}
	chosen, p := chatMessageTable.choose(q.fields)
	if p != nil {
		return p
	}
	l := &listing{target: t, total: replies(m), context: "teams('" + t.keys[0] + "')/channels('" + escapeThread(t.keys[1]) + "')/messages('" + t.keys[2] + "')/replies"}
	l.person = func(int) string { return t.keys[1] }
	l.record = func(b []byte, k int) []byte {
		r := s.post(n, m, k+1)
		return append(chosen.append(append(b, '{'), &r), '}')
	}
	return s.list(a, q, l)
}
