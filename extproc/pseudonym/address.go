package pseudonym

import "strconv"

// AppendIP appends the token of an IP address: with encrypt the reversible `p~` and hash and ciphertext, else `t~` and
// the hash. Spellings of one address share a token, because hash and ciphertext are of the text that parseIP gives. A
// value that is no IP address gives dst as it was and false; host names are never looked up.
//
// Config.IPSalt and IPKey serve these tokens where they are set. AppendReveal reveals a token only if they are not.
func (c *Codec) AppendIP(dst, value []byte, encrypt bool) ([]byte, bool) {
	if len(c.ipSalt) == 0 {
		panic("pseudonym: Codec was not made by New")
	}
	text, ok := parseIP(make([]byte, 0, 64), value)
	if !ok {
		return dst, false
	}
	sum := digest(text, c.ipSalt)
	if encrypt {
		return c.appendCiphertext(append(dst, "p~"...), text, &sum, c.keys[0].ip), true
	}
	return c.digits.appendEncoded(append(dst, "t~"...), sum[:]), true
}

// parseIP appends the text of an address as Java's InetAddress prints it: four decimal numbers, or eight hexadecimal
// ones in lower case without leading zeros and none left out. It reads what InetAddress reads: also addresses of fewer
// than four numbers, of which the last fills the rest (1.2.3 is 1.2.0.3), leading zeros without a meaning, brackets
// around IPv6, a number as its zone, and IPv4 inside IPv6 (::ffff:1.2.3.4 is 1.2.3.4).
func parseIP(dst, value []byte) ([]byte, bool) {
	if v4, ok := parseIPv4(value); ok {
		return appendIPv4(dst, v4), true
	}
	if n := len(value); n > 2 && value[0] == '[' && value[n-1] == ']' {
		value = value[1 : n-1]
	}
	value, zone, ok := cutZone(value)
	if !ok {
		return dst, false
	}
	groups, ok := parseIPv6(value)
	if !ok {
		return dst, false
	}
	if [6]uint16(groups[:6]) == [6]uint16{5: 0xFFFF} {
		return appendIPv4(dst, uint32(groups[6])<<16|uint32(groups[7])), true
	}
	for i, g := range groups {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = strconv.AppendUint(dst, uint64(g), 16)
	}
	return append(dst, zone...), true
}

func appendIPv4(dst []byte, v4 uint32) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		dst = strconv.AppendUint(dst, uint64(byte(v4>>shift)), 10)
		if shift > 0 {
			dst = append(dst, '.')
		}
	}
	return dst
}

// parseIPv4 reads one to four decimal numbers in at most 15 bytes. All but the last are single bytes.
func parseIPv4(text []byte) (uint32, bool) {
	if len(text) > 15 {
		return 0, false
	}
	var high, number uint64
	parts, digits := 0, 0
	for _, b := range text {
		switch {
		case b >= '0' && b <= '9':
			number = number*10 + uint64(b-'0')
			digits++
		case b == '.' && digits > 0 && number <= 0xFF && parts < 3:
			high = high<<8 | number
			parts++
			number, digits = 0, 0
		default:
			return 0, false
		}
	}
	rest := 8 * (4 - parts)
	if digits == 0 || number >= 1<<rest {
		return 0, false
	}
	return uint32(high<<rest | number), true
}

// cutZone parts an address at its zone, `%` and a number. A zone with a name is refused: it means something on one host
// only.
func cutZone(text []byte) (address, zone []byte, ok bool) {
	for i, b := range text {
		if b != '%' {
			continue
		}
		n, err := strconv.ParseUint(string(text[i+1:]), 10, 31)
		if err != nil {
			return nil, nil, false
		}
		return text[:i], strconv.AppendUint([]byte{'%'}, n, 10), true
	}
	return text, nil, true
}

// parseIPv6 reads eight groups, fewer with `::` for the zeros in between, the last two perhaps as IPv4.
func parseIPv6(text []byte) (groups [8]uint16, ok bool) {
	n, gap := 0, -1
	if len(text) < 2 || text[0] == ':' && text[1] != ':' {
		return groups, false
	}
	for at := 0; at < len(text); {
		if text[at] == ':' && at+1 < len(text) && text[at+1] == ':' {
			if at += 2; gap >= 0 || at < len(text) && text[at] == ':' {
				return groups, false
			}
			gap = n
			continue
		}
		if text[at] == ':' {
			if at++; at == len(text) {
				return groups, false
			}
		}
		end := at
		var value uint64
		for ; end < len(text) && text[end] != ':'; end++ {
			if text[end] == '.' {
				return withIPv4(groups, n, gap, text[at:])
			}
			d, hex := hexDigit(text[end])
			if value = value<<4 | d; !hex || value > 0xFFFF {
				return groups, false
			}
		}
		if n == 8 {
			return groups, false
		}
		groups[n] = uint16(value)
		n++
		at = end
	}
	return spread(groups, n, gap)
}

// withIPv4 ends an address with an IPv4 one, which needs all four numbers.
func withIPv4(groups [8]uint16, n, gap int, text []byte) ([8]uint16, bool) {
	dots := 0
	for _, b := range text {
		if b == '.' {
			dots++
		}
	}
	v4, ok := parseIPv4(text)
	if !ok || dots != 3 || n > 6 {
		return groups, false
	}
	groups[n], groups[n+1] = uint16(v4>>16), uint16(v4)
	return spread(groups, n+2, gap)
}

// spread moves the groups behind the gap to the end. A gap stands for one group of zeros at least.
func spread(groups [8]uint16, n, gap int) ([8]uint16, bool) {
	if gap < 0 || n == 8 {
		return groups, gap < 0 && n == 8
	}
	var out [8]uint16
	copy(out[:gap], groups[:gap])
	copy(out[8-(n-gap):], groups[gap:n])
	return out, true
}

func hexDigit(c byte) (uint64, bool) {
	switch {
	case c >= '0' && c <= '9':
		return uint64(c - '0'), true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return uint64(c|0x20-'a') + 10, true
	}
	return 0, false
}
