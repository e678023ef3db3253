package graph

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// kind keeps the ids of different things apart.
type kind uint64

const (
	kindTenant kind = iota + 1
	kindUser
	kindGroup
	kindMailbox
	kindDevice
	kindContact
	kindSecret // values that only look like ids: correlation, label, SKU
	kindItem
	kindRequest
	kindEvent
	kindMeeting
	kindChannel
	kindChannelMessage
	kindChat
	kindChatMessage
	kindCall
	kindPSTN
	kindDirect
	kindBotCall
	kindReport
	kindInteraction
	kindDrive
	kindDriveItem
	kindActivity
)

// keys makes ids from positions and reads them back, so that no index of ids is needed.
type keys struct{ seed uint64 }

func newKeys(seed uint64) keys { return keys{seed: mix(seed ^ 0x6772617068766569)} }

func (k keys) of(n kind) uint64 { return mix(k.seed + uint64(n)*0x9e3779b97f4a7c15) }

// dice returns the numbers of record i of a kind.
func (k keys) dice(n kind, i, j int) dice {
	return dice{state: mix(k.of(n)+uint64(i)) ^ uint64(j)*0xd1342543de82ef95}
}

func (k keys) scramble(n kind, i uint64) uint64   { return mix(i+k.of(n)) ^ k.seed }
func (k keys) unscramble(n kind, y uint64) uint64 { return unmix(y^k.seed) - k.of(n) }

// guidBytes lays the scrambled position around the version and variant bits of a random (version 4) GUID; the rest is a check.
func (k keys) guidBytes(n kind, i uint64) (g [16]byte) {
	y := k.scramble(n, i)
	var position, check [8]byte
	binary.BigEndian.PutUint64(position[:], y)
	binary.BigEndian.PutUint64(check[:], mix(y+k.of(n)))
	copy(g[:6], position[:6])
	copy(g[6:10], check[:4])
	copy(g[10:12], position[6:])
	copy(g[12:], check[4:])
	g[6] = g[6]&0x0f | 0x40
	g[8] = g[8]&0x3f | 0x80
	return g
}

func (k keys) guid(n kind, i uint64) []byte { return k.appendGUID(nil, n, i) }

func (k keys) appendGUID(b []byte, n kind, i uint64) []byte {
	g := k.guidBytes(n, i)
	for at, end := range []int{4, 6, 8, 10, 16} {
		if at > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, g[[]int{0, 4, 6, 8, 10}[at]:end])
	}
	return b
}

// position reads a GUID made by appendGUID back; ok is false for any other text and for positions not below limit.
func (k keys) position(n kind, guid string, limit int) (i int, ok bool) {
	raw, err := hex.DecodeString(strings.ReplaceAll(guid, "-", ""))
	if err != nil || len(guid) != 36 || len(raw) != 16 {
		return 0, false
	}
	at, ok := k.number(n, [16]byte(raw))
	if !ok || at >= uint64(limit) || !strings.EqualFold(string(k.guid(n, at)), guid) {
		return 0, false
	}
	return int(at), true
}

// number is the inverse of guidBytes.
func (k keys) number(n kind, g [16]byte) (i uint64, ok bool) {
	var y [8]byte
	copy(y[:6], g[:6])
	copy(y[6:], g[10:12])
	i = k.unscramble(n, binary.BigEndian.Uint64(y[:]))
	return i, k.guidBytes(n, i) == g
}

// Outlook ids are base64url of a store entry: a header, the mailbox GUID as text, then binary ids of folder and item. Their length is
// 2 modulo 3 and they end in zero bytes, hence the usual "AAA=".
const (
	folderIDSize = 83
	itemIDSize   = 113
	itemPlace    = 4 + 36 + 7 + 16 + 2 + 16 + 8 + 14 // of the number in an item id
)

func (k keys) appendEntry(b []byte, size, user int, y uint64) []byte {
	var entry [itemIDSize]byte
	e := append(entry[:0], 0, 3, 0x24, 0)
	e = k.appendGUID(e, kindMailbox, uint64(user))
	e = append(e, 0, 0x46, 0, 0, 0, 0, 0)
	store := k.guidBytes(kindMailbox, uint64(user)+1<<40)
	e = append(append(e, store[:]...), 7, 0)
	if size == itemIDSize {
		item := k.guidBytes(kindItem, y)
		e = append(append(e, item[:]...), 0, 0, 0, 0, 1, 0x0c, 0, 0)
		e = append(e, store[1:15]...)
	} else {
		e = append(e, store[1:9]...)
	}
	binary.BigEndian.PutUint64(entry[len(e):], y)
	return base64.URLEncoding.AppendEncode(b, entry[:size])
}

func (k keys) appendFolderID(b []byte, user, folder int) []byte {
	return k.appendEntry(b, folderIDSize, user, k.scramble(kindItem, uint64(user)<<8|uint64(folder)|1<<62))
}

func (k keys) appendMessageID(b []byte, user, pos int) []byte {
	return k.appendEntry(b, itemIDSize, user, k.scramble(kindItem, uint64(pos)))
}

// messagePosition reads a message id of the user's mailbox back. wellFormed tells an id that Outlook could have made from other text.
func (k keys) messagePosition(user int, id string, limit int) (pos int, ok, wellFormed bool) {
	raw, err := base64.URLEncoding.DecodeString(id)
	if err != nil || len(raw) != itemIDSize {
		return 0, false, false
	}
	i := k.unscramble(kindItem, binary.BigEndian.Uint64(raw[itemPlace:]))
	if i >= uint64(limit) || !bytes.Equal(k.appendMessageID(nil, user, int(i)), []byte(id)) {
		return 0, false, true
	}
	return int(i), true, true
}

// UserID returns the object id of user i.
func (s *Server) UserID(i int) string { return string(s.keys.guid(kindUser, uint64(i))) }

// GroupID returns the object id of group i.
func (s *Server) GroupID(i int) string { return string(s.keys.guid(kindGroup, uint64(i))) }

// SentMessageID returns the id of message m, counted from the newest, in the Sent Items folder of user i.
func (s *Server) SentMessageID(i, m int) string {
	return string(s.keys.appendMessageID(nil, i, sentItems.position(m)))
}
