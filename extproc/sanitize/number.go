package sanitize

import (
	"bytes"
	"strconv"

	"github.com/buger/jsonparser"
)

// appendNumberText appends the text that a number is hashed by: the one that
// Psoxy gives it. Integers are taken as spelled, but "-0" is "0". A number with
// a fraction or an exponent is read as an IEEE double and spelled as Java's
// Double.toString (JDK 19 and later) spells it.
func appendNumberText(dst, number []byte) []byte {
	if bytes.ContainsAny(number, ".eE") {
		return appendJavaDouble(dst, number)
	}
	if string(number) == "-0" {
		number = number[1:]
	}
	return append(dst, number...)
}

// appendJavaDouble spells a double with the fewest digits that tell it from its
// neighbours, but at least two: "100.0", "1.0E-4", "4.9E-324". From 1e-3 to below
// 1e7 it is plain, else in scientific notation with one digit before the point.
func appendJavaDouble(dst, number []byte) []byte {
	x, err := jsonparser.ParseFloat(number)
	if err != nil {
		// The scanner has checked the spelling, so this is overflow.
		if number[0] == '-' {
			dst = append(dst, '-')
		}
		return append(dst, "Infinity"...)
	}
	var buf [32]byte
	s := strconv.AppendFloat(buf[:0], x, 'e', -1, 64) // -d.ddde±xx
	if s[0] == '-' {
		dst = append(dst, '-')
		s = s[1:]
		x = -x
	}
	if s[1] == 'e' {
		// One digit: Java picks the nearest of two digits (5e-324 is 4.9E-324).
		s = strconv.AppendFloat(buf[:0], x, 'e', 1, 64)
	}
	e := bytes.IndexByte(s, 'e')
	exponent, err := strconv.Atoi(string(s[e+1:]))
	if err != nil {
		panic("sanitize: spelling a number: " + err.Error())
	}
	first, rest := s[0], s[2:e]
	switch {
	case x == 0:
		return append(dst, "0.0"...)
	case exponent < -3 || exponent >= 7:
		dst = append(dst, first, '.')
		dst = append(dst, rest...)
		dst = append(dst, 'E')
		return strconv.AppendInt(dst, int64(exponent), 10)
	case exponent < 0:
		dst = append(dst, "0."...)
		for range -exponent - 1 {
			dst = append(dst, '0')
		}
		dst = append(dst, first)
		return appendFraction(dst, rest)
	default:
		dst = append(dst, first)
		for range exponent {
			if len(rest) == 0 {
				dst = append(dst, '0')
				continue
			}
			dst = append(dst, rest[0])
			rest = rest[1:]
		}
		dst = append(dst, '.')
		if len(rest) == 0 {
			return append(dst, '0')
		}
		return append(dst, rest...)
	}
}

// appendFraction appends the digits after the first, without the zero that only
// fills up to two digits.
func appendFraction(dst, rest []byte) []byte {
	if len(rest) == 1 && rest[0] == '0' {
		return dst
	}
	return append(dst, rest...)
}
