package pseudonym

// byteSet is a set of bytes, one bit each.
type byteSet [4]uint64

func (s *byteSet) has(c byte) bool { return s[c>>6]>>(c&63)&1 != 0 }

const (
	digits  = 0x3FF << '0'
	letters = (1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64) // of the second word
)

var (
	// atext is that of RFC 2822 section 3.2.4.
	atext = byteSet{
		digits | 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'/' | 1<<'=' | 1<<'?',
		letters | 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('{'-64) | 1<<('|'-64) | 1<<('}'-64) | 1<<('~'-64),
	}
	labelBytes  = byteSet{digits | 1<<'-', letters}
	letterBytes = byteSet{0, letters}
)

// parsePlain reads value as the addresses that nearly all values with an at sign are: dot-atom, at sign, domain, and
// nothing else. What it accepts, the general grammar reads in the same way; about the rest it says nothing.
func parsePlain(value []byte) mailbox {
	at := 0
	for at < len(value) && (atext.has(value[at]) || value[at] == '.' && at > 0 && value[at-1] != '.') {
		at++
	}
	if at == 0 || at == len(value) || value[at] != '@' || value[at-1] == '.' {
		return mailbox{}
	}
	domain := value[at+1:]
	label := 0 // begins here
	for i, c := range domain {
		switch {
		case labelBytes.has(c):
		case c == '.' && domainLabel(domain[label:i]):
			label = i + 1
		default:
			return mailbox{}
		}
	}
	if label == 0 || !topLabel(domain[label:]) {
		return mailbox{}
	}
	return mailbox{local: value[:at], domain: domain}
}
