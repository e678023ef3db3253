package peers

import "bytes"

// appendPhrases appends the first hit of each phrase, joined by commas: whole
// words, without regard to case.
func appendPhrases(dst, text []byte, phrases []string) []byte {
	start := len(dst)
	for _, phrase := range phrases {
		for at := 0; at+len(phrase) <= len(text); at++ {
			end := at + len(phrase)
			if !bytes.EqualFold(text[at:end], []byte(phrase)) || !boundary(text, at) {
				continue
			}
			behind := end
			for behind < len(text) && bytes.IndexByte([]byte(" :\t\n\v\f\r"), text[behind]) >= 0 {
				behind++
			}
			if !boundary(text, end) && !boundary(text, behind) {
				continue
			}
			if len(dst) > start {
				dst = append(dst, ',')
			}
			dst = append(dst, text[at:end]...)
			break
		}
	}
	return dst
}

// boundary reports whether a word of ASCII begins or ends at an index.
func boundary(text []byte, i int) bool {
	word := func(c byte) bool { return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' }
	return (i > 0 && word(text[i-1])) != (i < len(text) && word(text[i]))
}
