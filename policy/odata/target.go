package odata

import (
	"strings"
	"unicode/utf8"
)

// Size ceilings of a target.
const (
	// MaxTarget is the longest target in bytes. Page tokens of Graph and the
	// sealed links made of them run to a few kilobytes.
	MaxTarget = 16 << 10
	// MaxSegments is the largest number of path segments, keys included.
	MaxSegments = 32
	// MaxOptions is the largest number of query options.
	MaxOptions = 32
)

// Target is the canonical form of a request target: every part decoded exactly
// once. The zero Target has no segments and matches nothing.
type Target struct {
	Segments []Segment
	Options  []Option
}

// Segment is one path segment. The key form users('x') is two segments, so that
// it equals users/x. A call, delta() or f(a=1), is one; so is an alternate key,
// users(mail='x'), which is written alike.
type Segment struct {
	// Value is decoded once, for a key with doubled quotes undone too. Of a call it
	// is the name.
	Value string
	// Call says that parentheses follow the name, with Arguments in the order
	// given, each name once.
	Call      bool
	Arguments []Argument
}

// Option is one query option.
type Option struct {
	// Name is decoded once, without a leading "$", in lower case.
	Name string
	// Value is decoded once, "+" being a space.
	Value string
}

// Option returns the option with that canonical name.
func (t Target) Option(name string) (Option, bool) {
	for _, o := range t.Options {
		if o.Name == name {
			return o, true
		}
	}
	return Option{}, false
}

// Path returns the canonical path: each segment encoded afresh.
func (t Target) Path() string {
	var dst []byte
	for _, s := range t.Segments {
		dst = append(dst, '/')
		if s.Call {
			dst = AppendCall(dst, s.Value, s.Arguments)
		} else {
			dst = AppendSegment(dst, s.Value)
		}
	}
	return string(dst)
}

// ParseTarget reads a request target in origin form (RFC 9112 section 3.2.1),
// as Envoy gives it in ":path". The error is an *Error.
//
// The path is split first and each segment decoded once. Refused as ambiguous:
// empty and dot segments, encoded "/" "\" ";" and NUL, raw "\" and ";", control
// characters, what is not UTF-8 (overlong forms included), invalid escapes,
// double encoding, a fragment, parentheses that are neither a key nor a call at the
// end of a segment, an argument twice.
//
// The query is split on "&" only, and a raw ";" is refused because some servers
// split there too. Names are decoded once, lose one leading "$", and are
// compared in lower case, for Graph takes $top, %24Top and top alike; a name
// twice is refused. In values "+" is a space, as Graph's server side reads it;
// a plus sign is %2B.
func ParseTarget(target string) (Target, error) {
	return parseTarget(target, false)
}

// ParseSealed reads a target that Graph itself wrote and that came back in a
// sealed link. It differs from ParseTarget in one point: option values may hold
// double encoding, because Graph's own page tokens do. Such a link is forwarded
// as it was sealed, not encoded afresh.
func ParseSealed(target string) (Target, error) {
	return parseTarget(target, true)
}

func parseTarget(target string, sealed bool) (Target, error) {
	if len(target) > MaxTarget {
		return Target{}, malformed(MaxTarget, "target is too long")
	}
	if target == "" || target[0] != '/' {
		return Target{}, malformed(0, "target does not begin with a slash")
	}
	if err := checkBytes(target); err != nil {
		return Target{}, err
	}
	path, query, _ := strings.Cut(target, "?")
	t := Target{}
	var err error
	if t.Segments, err = parsePath(path); err != nil {
		return Target{}, err
	}
	if t.Options, err = parseQuery(query, len(path)+1, sealed); err != nil {
		return Target{}, err
	}
	return t, nil
}

// checkBytes refuses what may stand nowhere in a target.
func checkBytes(s string) error {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c <= ' ' || c == 0x7f:
			return ambiguous(i, "control character or space")
		case c == '\\':
			return ambiguous(i, "backslash")
		case c == ';':
			return ambiguous(i, "semicolon")
		case c == '#':
			return ambiguous(i, "fragment")
		}
	}
	if !utf8.ValidString(s) {
		return ambiguous(0, "not UTF-8")
	}
	return nil
}

func parsePath(path string) ([]Segment, error) {
	segments := make([]Segment, 0, 8)
	for start := 1; ; {
		raw := path[start:]
		end := strings.IndexByte(raw, '/')
		if end >= 0 {
			raw = raw[:end]
		}
		var err error
		if segments, err = appendSegments(segments, raw, start); err != nil {
			return nil, err
		}
		if len(segments) > MaxSegments {
			return nil, malformed(start, "too many segments")
		}
		if end < 0 {
			return segments, nil
		}
		start += end + 1
	}
}

// appendSegments appends one raw segment: as itself, as name and key, or as a call.
func appendSegments(dst []Segment, raw string, offset int) ([]Segment, error) {
	value, err := decode(raw, offset, inPath)
	if err != nil {
		return nil, err
	}
	if err := checkSegment(value, offset); err != nil {
		return nil, err
	}
	open := strings.IndexByte(raw, '(')
	if open < 0 {
		if strings.ContainsRune(value, '(') || strings.ContainsRune(value, ')') {
			return nil, ambiguous(offset, "parenthesis that is encoded or not opened")
		}
		return append(dst, Segment{Value: value}), nil
	}
	rawName, inner := raw[:open], raw[open+1:]
	if rawName == "" || !strings.HasSuffix(inner, ")") {
		return nil, ambiguous(offset+open, "parenthesis that is not closed at the end of its segment")
	}
	inner = inner[:len(inner)-1]
	name, err := decode(rawName, offset, inPath)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(name, "()'") {
		return nil, ambiguous(offset, "quote or parenthesis before a key")
	}
	if err := checkSegment(name, offset); err != nil {
		return nil, err
	}
	key, isKey, err := quotedKey(inner, offset+open+1)
	if err != nil {
		return nil, err
	}
	if isKey {
		if err := checkSegment(key, offset+open); err != nil {
			return nil, err
		}
		return append(dst, Segment{Value: name}, Segment{Value: key}), nil
	}
	arguments, err := parseArguments(inner, offset+open+1)
	if err != nil {
		return nil, err
	}
	return append(dst, Segment{Value: name, Call: true, Arguments: arguments}), nil
}

// quotedKey reads 'x' with doubled quotes undone. A quote may come encoded (%27);
// since that would give two spellings of where the key ends, only raw quotes
// delimit, and an encoded one may not stand in a key.
func quotedKey(inner string, offset int) (key string, ok bool, err error) {
	if len(inner) < 2 || inner[0] != '\'' {
		if strings.HasPrefix(inner, "%27") {
			return "", false, ambiguous(offset, "encoded quote")
		}
		return "", false, nil
	}
	if inner[len(inner)-1] != '\'' {
		return "", false, ambiguous(offset, "key without its closing quote")
	}
	key, err = undouble(inner[1:len(inner)-1], offset)
	return key, true, err
}

// checkSegment refuses decoded segments that a server may resolve away.
func checkSegment(value string, offset int) error {
	if value == "" {
		return ambiguous(offset, "empty segment")
	}
	// Some servers trim spaces and dots before they look for ".." in it.
	if strings.Trim(value, ". ") == "" {
		return ambiguous(offset, "dot segment")
	}
	return nil
}

func parseQuery(query string, offset int, sealed bool) ([]Option, error) {
	if query == "" {
		return nil, nil
	}
	place := inValue
	if sealed {
		place = inSealedValue
	}
	options := make([]Option, 0, 8)
	for start := 0; start <= len(query); {
		pair := query[start:]
		if end := strings.IndexByte(pair, '&'); end >= 0 {
			pair = pair[:end]
		}
		at := offset + start
		start += len(pair) + 1
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := decode(rawName, at, inName)
		if err != nil {
			return nil, err
		}
		name, ok := optionName(name)
		if !ok {
			return nil, ambiguous(at, "option name that is empty or no name")
		}
		for _, o := range options {
			if o.Name == name {
				return nil, ambiguous(at, "option given twice")
			}
		}
		value, err := decode(rawValue, at+len(rawName)+1, place)
		if err != nil {
			return nil, err
		}
		if options = append(options, Option{Name: name, Value: value}); len(options) > MaxOptions {
			return nil, malformed(at, "too many options")
		}
	}
	return options, nil
}

// optionName makes the canonical name: without one leading "$", in lower case.
// It accepts what Graph documents as names, letters, digits and "_-.@" of ASCII.
// Anything else is a way to spell a name that a later reader trims or folds
// (U+212A, the Kelvin sign, folds to "k").
func optionName(name string) (string, bool) {
	name = strings.TrimPrefix(name, "$")
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isAlnum(c) && strings.IndexByte("_-.@", c) < 0 {
			return "", false
		}
	}
	return strings.ToLower(name), name != ""
}
