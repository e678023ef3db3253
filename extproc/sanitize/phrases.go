package sanitize

// appendPhrases appends what the phrases find in a text: the first hit of each,
// as it is spelled in the text, in the order of the phrases and joined by commas.
//
// A phrase is found without regard to ASCII case where a word begins, and where
// after it, or after the white space and colons behind it, a word begins or ends:
// Psoxy's \b(phrase)[\s:]*\b. Word characters are those of ASCII only.
func appendPhrases(dst, text []byte, phrases []string) []byte {
	found := false
	heads := headsOf(text)
	for _, p := range phrases {
		if p != "" && !heads.has(lower(p[0])) {
			continue
		}
		at := findPhrase(text, p)
		if at < 0 {
			continue
		}
		if found {
			dst = append(dst, ',')
		}
		found = true
		dst = append(dst, text[at:at+len(p)]...)
	}
	return dst
}

// heads is a set of bytes.
type heads [4]uint64

func (h *heads) has(c byte) bool { return h[c>>6]>>(c&63)&1 != 0 }

// headsOf returns what a text has behind its boundaries, letters as lower ones: a
// phrase that begins with anything else is not in it.
func headsOf(text []byte) (h heads) {
	before := false
	for _, c := range text {
		after := isWord[c]
		if after != before {
			c = lower(c)
			h[c>>6] |= 1 << (c & 63)
		}
		before = after
	}
	return h
}

// findPhrase returns the index of the first hit of a phrase, or -1.
func findPhrase(text []byte, phrase string) int {
	for at := 0; at+len(phrase) <= len(text); at++ {
		end := at + len(phrase)
		if boundary(text, at) && equalFold(text[at:end], phrase) && phraseEnds(text, end) {
			return at
		}
	}
	return -1
}

// phraseEnds reports whether there is a boundary at i, or at an index behind it
// with only white space and colons in between.
func phraseEnds(text []byte, i int) bool {
	if boundary(text, i) {
		return true
	}
	for i < len(text) && (text[i] == ':' || javaSpace(text[i])) {
		i++
	}
	return boundary(text, i)
}

// boundary reports whether a word begins or ends at an index.
func boundary(text []byte, i int) bool {
	before := i > 0 && isWord[text[i-1]]
	after := i < len(text) && isWord[text[i]]
	return before != after
}

// isWord says which bytes are word characters.
var isWord = func() (is [256]bool) {
	for c := range is {
		is[c] = c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
	}
	return is
}()

// javaSpace reports whether c is what \s matches in Java. In RE2 \s has no \v.
func javaSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// equalFold reports whether two texts of one length are equal without regard to
// ASCII case.
func equalFold(text []byte, phrase string) bool {
	for i := range len(phrase) {
		if lower(text[i]) != lower(phrase[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
