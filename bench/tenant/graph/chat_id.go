package graph

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// Chats have numbers. Of each user u there are first those with the neighbours u+1 to u+near, then one group that begins with u, and
// then the chats of the meetings that are u's events 0 and 3, with u+1.
const (
	near         = 4
	chatsOfUser  = near + 3
	oneToOneTail = "@unq.gbl.spaces"
	threadTail   = "@thread.v2"
)

// partners is how many neighbours a user has on each side.
func (s *Server) partners() int { return min(near, (s.cfg.Users-1)/2) }

// groupSize is how many neighbours are in the group that begins with a user.
func (s *Server) groupSize(u int) int { return min(3+u%4, s.cfg.Users) }

// chatNumbers are the chats of user u, in the order of a list.
func (s *Server) chatNumbers(u int) (numbers []int) {
	users := s.cfg.Users
	for d := 1; d <= s.partners(); d++ {
		numbers = append(numbers, u*chatsOfUser+d-1, (u-d+users)%users*chatsOfUser+d-1)
	}
	for d := range min(6, users) {
		if first := (u - d + users) % users; d < s.groupSize(first) {
			numbers = append(numbers, first*chatsOfUser+near)
		}
	}
	for _, first := range slices.Compact([]int{u, (u - 1 + users) % users}) {
		numbers = append(numbers, first*chatsOfUser+near+1, first*chatsOfUser+near+2)
	}
	return numbers
}

// chatMembers are the users of a chat, its founder first.
func (s *Server) chatMembers(number int) (members []int) {
	u, which := number/chatsOfUser, number%chatsOfUser
	next := func(d int) int { return (u + d) % s.cfg.Users }
	switch {
	case which < near:
		return []int{u, next(which + 1)}
	case which == near:
		for d := range s.groupSize(u) {
			members = append(members, next(d))
		}
		return members
	}
	return slices.Compact([]int{u, next(1)})
}

// chatID has both object ids for two people, the number for a group, and is the meeting's thread for a meeting (graph-facts: "1:1 chat id").
func (s *Server) chatID(number int) string {
	u, which := number/chatsOfUser, number%chatsOfUser
	switch {
	case which < near:
		return "19:" + s.UserID(u) + "_" + s.UserID((u+which+1)%s.cfg.Users) + oneToOneTail
	case which == near:
		raw := s.keys.guidBytes(kindChat, uint64(number))
		return "19:" + hex.EncodeToString(raw[:]) + threadTail
	}
	return string(s.appendThread(nil, u, 3*(which-near-1)))
}

// chatNumber reads the id of a chat back.
func (s *Server) chatNumber(id string) (number int, ok bool) {
	rest := strings.TrimPrefix(id, "19:")
	if pair, ok := strings.CutSuffix(rest, oneToOneTail); ok {
		first, second, _ := strings.Cut(pair, "_")
		u, ok := s.keys.position(kindUser, first, s.cfg.Users)
		v, ok2 := s.keys.position(kindUser, second, s.cfg.Users)
		d := (v - u + s.cfg.Users) % s.cfg.Users
		number = u*chatsOfUser + d - 1
		return number, ok && ok2 && d >= 1 && d <= s.partners() && s.chatID(number) == id
	}
	var raw []byte
	thread, _ := strings.CutSuffix(rest, threadTail)
	if meeting, ok := strings.CutPrefix(thread, "meeting_"); ok {
		raw, _ = base64.RawURLEncoding.DecodeString(meeting) // a short result is refused below
		if len(raw) == 16 {
			at, _ := s.keys.number(kindMeeting, [16]byte(raw))
			number = int(at>>24)*chatsOfUser + near + 1 + int(at&(1<<24-1))/3
		}
	} else if raw, _ = hex.DecodeString(thread); len(raw) == 16 {
		at, _ := s.keys.number(kindChat, [16]byte(raw))
		number = int(at)
	}
	return number, len(raw) == 16 && number >= 0 && number < s.cfg.Users*chatsOfUser && s.chatID(number) == id
}
