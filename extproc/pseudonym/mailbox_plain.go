package pseudonym

// onStack is the length of value and salt up to which they are hashed in one piece: two blocks of SHA-256.
const onStack = 119

// folded is a letter, digit or hyphen in lower case. It is zero for all other bytes.
var folded = [256]byte{
	'0': '0', '1': '1', '2': '2', '3': '3', '4': '4', '5': '5', '6': '6', '7': '7', '8': '8', '9': '9', '-': '-',
	'a': 'a', 'b': 'b', 'c': 'c', 'd': 'd', 'e': 'e', 'f': 'f', 'g': 'g', 'h': 'h', 'i': 'i', 'j': 'j', 'k': 'k', 'l': 'l', 'm': 'm',
	'n': 'n', 'o': 'o', 'p': 'p', 'q': 'q', 'r': 'r', 's': 's', 't': 't', 'u': 'u', 'v': 'v', 'w': 'w', 'x': 'x', 'y': 'y', 'z': 'z',
	'A': 'a', 'B': 'b', 'C': 'c', 'D': 'd', 'E': 'e', 'F': 'f', 'G': 'g', 'H': 'h', 'I': 'i', 'J': 'j', 'K': 'k', 'L': 'l', 'M': 'm',
	'N': 'n', 'O': 'o', 'P': 'p', 'Q': 'q', 'R': 'r', 'S': 's', 'T': 't', 'U': 'u', 'V': 'v', 'W': 'w', 'X': 'x', 'Y': 'y', 'Z': 'z',
}

// canonicalPlain writes the canonical form of value to text, without leaving out dots, and gives the place of the at
// sign, for the addresses that nearly all values with an at sign are: dot-atom, at sign, domain, no plus sign, no longer
// than text. What it takes the grammar reads in the same way; for the rest, of which it writes some, it gives false.
func canonicalPlain(text *[onStack]byte, value []byte) (at int, ok bool) {
	if len(value) > len(text) {
		return 0, false
	}
	to := text[:len(value)]
	for ; at < len(to); at++ {
		b := value[at]
		c := folded[b]
		if c == 0 {
			if b == '+' || !atomByte(b) && (b != '.' || at == 0 || value[at-1] == '.') {
				break
			}
			c = b
		}
		to[at] = c
	}
	if at == 0 || at == len(to) || value[at] != '@' || value[at-1] == '.' {
		return 0, false
	}
	to[at] = '@'
	label := at + 1 // begins here
	for i := label; i < len(to); i++ {
		b := value[i]
		c := folded[b]
		if c == 0 {
			if b != '.' || !domainLabel(value[label:i]) {
				return 0, false
			}
			c, label = b, i+1
		}
		to[i] = c
	}
	return at, label > at+1 && topLabel(value[label:])
}
