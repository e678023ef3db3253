package graph

import "encoding/base64"

// A meeting in Teams is that of event n of a user. Its thread, its join link and its id have the number inside, and the organizer's
// object id in clear (graph-facts: "onlineMeeting.id", "joinWebUrl").

// appendThread writes the chat thread of a meeting.
func (s *Server) appendThread(b []byte, user, n int) []byte {
	g := s.keys.guidBytes(kindMeeting, uint64(user)<<24|uint64(n))
	b = append(b, "19:meeting_"...)
	b = base64.RawURLEncoding.AppendEncode(b, g[:])
	return append(b, "@thread.v2"...)
}

// appendJoinURL writes the link that people click, with what is not a letter escaped as Teams does.
func (s *Server) appendJoinURL(b []byte, user, n int) []byte {
	thread := s.appendThread(nil, user, n)
	thread = thread[len("19:") : len(thread)-len("@thread.v2")]
	b = append(b, "https://teams.microsoft.com/l/meetup-join/19%3a"...)
	b = append(append(b, thread...), "%40thread.v2/0?context=%7b%22Tid%22%3a%22"...)
	b = append(append(b, s.cfg.TenantID...), "%22%2c%22Oid%22%3a%22"...)
	return append(s.keys.appendGUID(b, kindUser, uint64(user)), "%22%7d"...)
}
