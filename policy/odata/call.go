package odata

import "strings"

// Argument is one argument of a call in a path, as in f(a=1,b='x').
type Argument struct {
	// Name is in lower case. It is empty for an unquoted key, users(1), which is
	// read so that it can be told from everything else, and matches no template.
	Name string
	// Value is decoded once, with doubled quotes undone.
	Value string
	// Quoted says that the value stood in single quotes.
	Quoted bool
}

// String is the segment decoded, a call with its arguments.
func (s Segment) String() string {
	if !s.Call {
		return s.Value
	}
	var b strings.Builder
	b.WriteString(s.Value + "(")
	for i, a := range s.Arguments {
		if i > 0 {
			b.WriteByte(',')
		}
		if a.Name != "" {
			b.WriteString(a.Name + "=")
		}
		if a.Quoted {
			b.WriteString("'" + strings.ReplaceAll(a.Value, "'", "''") + "'")
		} else {
			b.WriteString(a.Value)
		}
	}
	b.WriteByte(')')
	return b.String()
}

// AppendCall appends a call as one path segment. The names are written as given;
// of the values only unreserved characters stay as they are, and a quote in one is
// doubled.
func AppendCall(dst []byte, name string, arguments []Argument) []byte {
	dst = append(AppendSegment(dst, name), '(')
	for i, a := range arguments {
		if i > 0 {
			dst = append(dst, ',')
		}
		if a.Name != "" {
			dst = append(append(dst, a.Name...), '=')
		}
		if !a.Quoted {
			dst = appendEscaped(dst, a.Value, "-._~")
			continue
		}
		dst = append(dst, '\'')
		dst = appendEscaped(dst, strings.ReplaceAll(a.Value, "'", "''"), "-._~'")
		dst = append(dst, '\'')
	}
	return append(dst, ')')
}

// parseArguments reads what stands between the parentheses of a call: nothing, or
// name=value, the value bare or in single quotes that are doubled inside. Only raw
// quotes and commas delimit; encoded ones would give two readings of where a value
// ends, so a bare value must not have them, nor a quoted one a quote.
func parseArguments(raw string, offset int) ([]Argument, error) {
	if raw == "" {
		return nil, nil
	}
	if !strings.Contains(raw, "=") {
		value, err := bareValue(raw, offset)
		return []Argument{{Value: value}}, err
	}
	var arguments []Argument
	for rest := raw; ; {
		at := offset + len(raw) - len(rest)
		name, after, ok := strings.Cut(rest, "=")
		if !ok || !isPropertyName(name, false) || isDigit(name[0]) {
			return nil, ambiguous(at, "argument that has no name")
		}
		name = strings.ToLower(name)
		for _, other := range arguments {
			if other.Name == name {
				return nil, ambiguous(at, "argument given twice")
			}
		}
		at += len(name) + 1
		a := Argument{Name: name, Quoted: strings.HasPrefix(after, "'")}
		end := strings.IndexByte(after, ',')
		if a.Quoted {
			end = stringLength(after)
			if end == 0 {
				return nil, ambiguous(at, "argument without its closing quote")
			}
		} else if end < 0 {
			end = len(after)
		}
		var err error
		if a.Quoted {
			a.Value, err = undouble(after[1:end-1], at)
		} else {
			a.Value, err = bareValue(after[:end], at)
		}
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, a)
		if rest = after[end:]; rest == "" {
			return arguments, nil
		}
		if rest[0] != ',' {
			return nil, ambiguous(at, "text after an argument")
		}
		rest = rest[1:]
	}
}

// bareValue decodes a value that stands in no quotes.
func bareValue(raw string, offset int) (string, error) {
	value, err := decode(raw, offset, inPath)
	if err != nil {
		return "", err
	}
	if value == "" || strings.ContainsAny(value, "'(),\" ") {
		return "", ambiguous(offset, "argument that is empty or has a delimiter in it")
	}
	return value, nil
}

// undouble decodes what stands between two quotes.
func undouble(raw string, offset int) (string, error) {
	if strings.Contains(raw, "%27") {
		return "", ambiguous(offset, "encoded quote")
	}
	undoubled := strings.ReplaceAll(raw, "''", "\x00")
	if strings.ContainsRune(undoubled, '\'') {
		return "", ambiguous(offset, "single quote in a quoted value")
	}
	return decode(strings.ReplaceAll(undoubled, "\x00", "'"), offset, inPath)
}
