package graph

import (
	"strconv"
	"strings"
)

// person is what all records about user i agree on.
type person struct {
	s             *Server
	i             int
	given, family spelling
	guest         bool
	dice          dice // for values that nothing else needs to know; copy before use
}

// spelling is a name as it is displayed and as it stands in an address.
type spelling struct{ display, address string }

const partnerDomain = "fabrikam.example"

// stride is odd, so multiplying by it permutes the pairs of names: neighbours get different ones. strideBack is its inverse modulo
// the number of pairs, which is 2¹².
const (
	pairs      = 64 * 64
	stride     = 2741
	strideBack = 925
)

func (s *Server) person(i int) person {
	pair := (i*stride + s.pairOffset()) % pairs
	return person{s: s, i: i, given: givenNames[pair/64], family: familyNames[pair%64], guest: i%23 == 19, dice: s.keys.dice(kindUser, i, 0)}
}

func (s *Server) pairOffset() int { return int(s.keys.seed % pairs) }

// appendLocal writes the mailbox part of addresses: given.family, a number from the 4,097th user on, and the canary.
func (p *person) appendLocal(b []byte) []byte {
	b = append(b, p.given.address...)
	b = append(b, '.')
	b = append(b, p.family.address...)
	if round := p.i / pairs; round > 0 {
		b = strconv.AppendInt(b, int64(round), 10)
	}
	if p.s.cfg.Canary != "" {
		b = append(append(b, '.'), p.s.cfg.Canary...)
	}
	return b
}

func (p *person) appendUPN(b []byte) []byte {
	b = p.appendLocal(b)
	if p.guest {
		b = append(b, "_"+partnerDomain+"#EXT#"...)
	}
	return append(append(b, '@'), p.s.cfg.Domain...)
}

// appendMail writes the primary address. Some differ from the principal name in case, as in life.
func (p *person) appendMail(b []byte) []byte {
	start := len(b)
	b = append(p.appendLocal(b), '@')
	if p.i%7 == 2 {
		b[start] &^= 0x20
	}
	if p.guest {
		return append(b, partnerDomain...)
	}
	return append(b, p.s.cfg.Domain...)
}

func (p *person) appendDisplayName(b []byte) []byte {
	b = append(append(append(b, p.given.display...), ' '), p.family.display...)
	if p.s.cfg.Canary != "" {
		b = append(append(b, ' '), p.s.cfg.Canary...)
	}
	return b
}

// appendPhone writes a number with the fictitious exchange 555.
func (p *person) appendPhone(b []byte, line int) []byte {
	d := p.s.keys.dice(kindUser, p.i, 100+line)
	b = append(b, "+1 "...)
	b = appendInt(b, 201+d.below(780))
	b = append(b, " 555 "...)
	n := d.below(10000)
	b = append(b, byte('0'+n/1000), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
	if p.s.cfg.Canary != "" {
		b = append(append(b, " x"...), p.s.cfg.Canary...)
	}
	return b
}

func (p *person) appendSID(b []byte, root string) []byte {
	d := p.s.keys.dice(kindUser, p.i, 200)
	b = append(b, root...)
	for range 3 {
		b = strconv.AppendUint(append(b, '-'), d.next()>>32, 10)
	}
	return appendInt(append(b, '-'), 1000+p.i)
}

func (p *person) appendEmployeeID(b []byte) []byte {
	b = append(b, 'E')
	b = appendInt(b, 100000+p.i)
	return append(b, p.s.cfg.Canary...)
}

// userByName reads a user principal name back.
func (s *Server) userByName(upn string) (int, bool) {
	local, _, _ := strings.Cut(upn, "@")
	local, _, _ = strings.Cut(strings.ToLower(local), "_")
	given, rest, _ := strings.Cut(local, ".")
	family, _, _ := strings.Cut(rest, ".")
	name := strings.TrimRight(family, "0123456789")
	round := 0
	if digits := family[len(name):]; digits != "" {
		n, err := strconv.Atoi(digits)
		if err != nil || n > s.cfg.Users/pairs {
			return 0, false
		}
		round = n
	}
	pair := find(givenNames[:], given)*64 + find(familyNames[:], name)
	if pair < 0 {
		return 0, false
	}
	i := round*pairs + (pair-s.pairOffset()+pairs)*strideBack%pairs
	p := s.person(i)
	return i, i < s.cfg.Users && strings.EqualFold(string(p.appendUPN(nil)), upn)
}

// find returns the place of a name, or a number that makes any pair negative.
func find(names []spelling, address string) int {
	for i, n := range names {
		if n.address == address {
			return i
		}
	}
	return -pairs
}

// UserPrincipalName returns the user principal name of user i.
func (s *Server) UserPrincipalName(i int) string {
	p := s.person(i)
	return string(p.appendUPN(nil))
}

// Mail returns the mail address of user i as the directory spells it.
func (s *Server) Mail(i int) string {
	p := s.person(i)
	return string(p.appendMail(nil))
}

// Canaries returns texts that identify user i wherever they appear, including those that have no room for Config.Canary: object and
// mailbox id, names, addresses, phones, employee id, SID and on-premises id. The domains of addresses identify nobody.
func (s *Server) Canaries(i int) []string {
	p := s.person(i)
	local := string(p.appendLocal(nil))
	return []string{
		s.UserID(i), string(s.keys.guid(kindMailbox, uint64(i))), local + "@", string(p.appendDisplayName(nil)),
		string(p.appendPhone(nil, 0)), string(p.appendPhone(nil, 1)), string(p.appendEmployeeID(nil)),
		string(p.appendSID(nil, domainSID)), string(p.appendSID(nil, cloudSID)), string(p.appendImmutableID(nil)),
	}
}
