package odata

import (
	"strings"
	"unicode/utf8"
)

// place is where in a target a text stands; it sets what may be encoded there.
type place uint8

const (
	inPath place = iota
	inName
	inValue
	inSealedValue
)

// decode undoes percent-encoding once.
func decode(s string, offset int, where place) (string, error) {
	if strings.IndexByte(s, '%') < 0 && (where < inValue || strings.IndexByte(s, '+') < 0) {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' && where >= inValue {
			out = append(out, ' ')
			continue
		}
		if c != '%' {
			out = append(out, c)
			continue
		}
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			return "", ambiguous(offset+i, "invalid percent escape")
		}
		d := unhex(s[i+1])<<4 | unhex(s[i+2])
		switch {
		case d < 0x20 || d == 0x7f:
			return "", ambiguous(offset+i, "encoded control character")
		case where == inPath && (d == '/' || d == '\\' || d == ';'):
			return "", ambiguous(offset+i, "encoded path delimiter")
		}
		out = append(out, d)
		i += 2
	}
	// Seen on what is decoded: %25%32%66 is %2f too.
	for i := 0; where != inSealedValue && i+2 < len(out); i++ {
		if out[i] == '%' && isHex(out[i+1]) && isHex(out[i+2]) {
			return "", ambiguous(offset, "double encoding")
		}
	}
	// Overlong forms, surrogates and stray continuation bytes are all invalid.
	if !utf8.Valid(out) {
		return "", ambiguous(offset, "not UTF-8 once decoded")
	}
	return string(out), nil
}

// AppendSegment appends value as one path segment. Only unreserved characters
// and those that cannot delimit anything stay as they are.
func AppendSegment(dst []byte, value string) []byte {
	return appendEscaped(dst, value, "-._~@!,=")
}

// AppendOption appends name=value, with "&" before it where dst needs one, that
// is unless dst is empty or ends in "?". The name is written as given.
func AppendOption(dst []byte, name, value string) []byte {
	if len(dst) > 0 && dst[len(dst)-1] != '?' {
		dst = append(dst, '&')
	}
	dst = append(appendEscaped(dst, name, "-._~@$"), '=')
	return appendEscaped(dst, value, "-._~@!,:()'*/$")
}

func appendEscaped(dst []byte, s, also string) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		if isAlnum(c) || strings.IndexByte(also, c) >= 0 {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', digits[c>>4], digits[c&15])
	}
	return dst
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
