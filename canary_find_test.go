package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var canaryPattern = regexp.MustCompile(`zq[a-y]{6}qz|93[0-9]{8}39`)

// find returns the canaries that a text holds: as it is and in other case,
// percent-decoded, base64-decoded, and inside strings that are JSON themselves,
// as often as one is wrapped in the other.
func (c *canaries) find(text string) map[string]canaryOrigin {
	found := map[string]canaryOrigin{}
	c.search(found, text, 4)
	return found
}

func (c *canaries) search(found map[string]canaryOrigin, text string, depth int) {
	for _, mark := range canaryPattern.FindAllString(strings.ToLower(text), -1) {
		if o, ok := c.origin[mark]; ok {
			found[mark] = o
		}
	}
	if depth == 0 {
		return
	}
	if decoded, err := url.PathUnescape(text); err == nil && decoded != text {
		c.search(found, decoded, depth-1)
	}
	if strings.Contains(text, `\`) {
		var inner any
		if json.Unmarshal([]byte(text), &inner) == nil {
			c.strings(found, inner, depth-1)
		}
	}
	for _, run := range base64Pattern.FindAllString(text, -1) {
		run = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(run), "=")
		for offset := range min(4, len(run)) { // it may be glued to other text
			part := run[offset:]
			if len(part)%4 == 1 {
				part = part[:len(part)-1]
			}
			if decoded, err := base64.RawStdEncoding.DecodeString(part); err == nil {
				if s := string(decoded); mostlyText(s) {
					c.search(found, s, depth-1)
				}
			}
		}
	}
}

// strings searches every name and string of a JSON value, as it means.
func (c *canaries) strings(found map[string]canaryOrigin, v any, depth int) {
	switch v := v.(type) {
	case string:
		c.search(found, v, depth)
	case []any:
		for _, element := range v {
			c.strings(found, element, depth)
		}
	case map[string]any:
		for name, member := range v {
			c.search(found, name, depth)
			c.strings(found, member, depth)
		}
	}
}

var base64Pattern = regexp.MustCompile(`[A-Za-z0-9+/_-]{12,}={0,2}`)

// mostlyText spares the search in what is no text at all.
func mostlyText(s string) bool {
	printable := 0
	for _, r := range s {
		if unicode.IsPrint(r) && r < 0x80 {
			printable++
		}
	}
	return printable >= len(s)/2
}

// TestCanaryIsFound shows that what the leak tests look for is found however it
// is wrapped.
func TestCanaryIsFound(t *testing.T) {
	var c canaries
	for name, wrap := range map[string]func(string) string{
		"plain":            func(s string) string { return `{"a":"` + s + `"}` },
		"upper case":       func(s string) string { return `{"a":"` + strings.ToUpper(s) + `"}` },
		"percent":          func(s string) string { return `{"a":"` + fmt.Sprintf("%%%02X", s[0]) + s[1:] + `"}` },
		"percent twice":    func(s string) string { return `{"a":"` + fmt.Sprintf("%%25%02X", s[0]) + s[1:] + `"}` },
		"escaped":          func(s string) string { return fmt.Sprintf(`{"a":"\u%04x%s"}`, s[0], s[1:]) },
		"base64":           func(s string) string { return base64.StdEncoding.EncodeToString([]byte("id=" + s)) },
		"base64url, glued": func(s string) string { return "gv~x" + base64.RawURLEncoding.EncodeToString([]byte("##"+s+"##")) },
		"JSON in a string": func(s string) string {
			return `{"a":` + quote(`{"b":`+quote(fmt.Sprintf("%%%02X", s[0])+s[1:])+`}`) + `}`
		},
		"base64 in JSON": func(s string) string {
			return `{"a":` + quote(`["`+base64.StdEncoding.EncodeToString([]byte(s))+`"]`) + `}`
		},
		"the name of a key": func(s string) string { return `{"` + s + `":1}` },
	} {
		for kind, mark := range map[string]string{"text": c.text(canaryOrigin{Property: name, Class: "text"}), "number": c.number(canaryOrigin{Property: name, Class: "text"})} {
			if found := c.find(wrap(mark)); found[mark].Property != name {
				t.Errorf("%s, %s: found %v in %s", name, kind, found, wrap(mark))
			}
		}
	}
	if found := c.find(`{"a":"zqaaaaaaaqz 1234","b":"t~UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMk"}`); len(found) != 0 {
		t.Errorf("found %v where nothing is", found)
	}
}
