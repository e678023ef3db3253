package sanitize

import (
	"slices"
	"unicode/utf8"

	"github.com/buger/jsonparser"
)

// appendEscaped appends text as the content of a JSON string, escaping only what
// RFC 8259 section 7 demands. Bytes that are not UTF-8 become U+FFFD, so that no
// Tokens can make the output invalid.
func appendEscaped(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		n := plainPrefix(text[i:])
		dst = append(dst, text[i:i+n]...)
		i += n
		if i == len(text) {
			break
		}
		switch c := text[i]; {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(text[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			const hex = "0123456789ABCDEF"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
	}
	return dst
}

// unescaped returns the text of a valid string content. It is raw itself if
// nothing is escaped, else it is in buf, which is returned for reuse.
func unescaped(raw, buf []byte) (text, reuse []byte) {
	buf = slices.Grow(buf[:0], len(raw))
	text, err := jsonparser.Unescape(raw, buf)
	if err != nil {
		// The scanner has checked every escape.
		panic("sanitize: unescaping a checked string: " + err.Error())
	}
	return text, buf
}
