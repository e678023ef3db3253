package graph

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
)

// token is opaque like those of the service: bytes that hold the name of a person or thing (graph-facts: "Do tokens embed user data?
// Yes"), here with a value, which is a position, and a check that binds it to context, $filter and $orderby.
func (s *Server) token(l *listing, q *query, value uint64) string {
	b := []byte(l.target.service.tokenHead)
	name := ""
	if l.total > 0 {
		name = ":" + l.person(l.at(int(value%uint64(l.total))))
	}
	b = append(append(b, byte(len(name))), name...)
	b = binary.BigEndian.AppendUint64(b, s.keys.scramble(kindSecret, value))
	h := fnv.New64a()
	h.Write([]byte(l.context + "\x00" + q.filter + "\x00" + q.orderBy))
	b = binary.BigEndian.AppendUint64(b, s.keys.scramble(kindSecret, h.Sum64()+value))
	if l.target.service.tokenHex {
		b = hex.AppendEncode(nil, b)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// readToken returns the value of a token that was made for this listing.
func (s *Server) readToken(l *listing, q *query, token string) (value uint64, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil && l.target.service.tokenHex {
		raw, err = hex.DecodeString(string(raw))
	}
	if err != nil || len(raw) < 16 {
		return 0, false
	}
	value = s.keys.unscramble(kindSecret, binary.BigEndian.Uint64(raw[len(raw)-16:]))
	return value, s.token(l, q, value) == token
}
