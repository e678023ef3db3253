package connectors_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// interpreter applies a shape to a JSON value, slowly and by the book: what the
// shape does not name is left out, what has another type than the shape expects
// is left out too, null stays null.
type interpreter struct {
	*testing.T
	codec *pseudonym.Codec
}

// link stands for a sealed link.
const link = "sealed"

func (i interpreter) apply(shape, value any) (result any, ok bool) {
	switch shape := shape.(type) {
	case []any:
		array, isArray := value.([]any)
		if !isArray {
			return nil, value == nil
		}
		kept := []any{}
		for _, element := range array {
			if element, ok := i.apply(shape[0], element); ok {
				kept = append(kept, element)
			}
		}
		return kept, true
	case map[string]any:
		if name := operation(shape); name != "" {
			return i.scalar(name, shape, value)
		}
		object, isObject := value.(map[string]any)
		if !isObject {
			return nil, value == nil
		}
		kept := map[string]any{}
		for name, member := range object {
			if member, ok := i.apply(shape[name], member); ok {
				kept[name] = member
			}
		}
		return kept, true
	default:
		return nil, false
	}
}

func (i interpreter) scalar(name string, operation map[string]any, value any) (any, bool) {
	switch value.(type) {
	case map[string]any, []any:
		return nil, false
	}
	text, isText := value.(string)
	switch {
	case name == "keep":
		return value, true
	case name == "drop":
		return nil, false
	case name == "json_pseudonym" && value == nil:
		return "null", true
	case value == nil:
		return nil, true
	case !isText:
		return nil, false
	}
	switch name {
	case "pseudonym":
		return string(i.codec.AppendToken(nil, []byte(text))), true
	case "reversible":
		return string(i.codec.AppendReversible(nil, []byte(text))), true
	case "json_pseudonym":
		original, _ := operation["original"].(bool)
		return string(i.codec.AppendJSON(nil, []byte(text), pseudonym.JSONForm{Original: original})), true
	case "match":
		at := regexp.MustCompile(operation["pattern"].(string)).FindStringSubmatchIndex(text)
		if at == nil || operation["then"] != "pseudonym" {
			return nil, true
		}
		return text[:at[2]] + string(i.codec.AppendToken(nil, []byte(text[at[2]:at[3]]))) + text[at[3]:], true
	case "link":
		return link, true
	}
	i.Fatalf("unknown operation %q", name)
	return nil, false
}

// find returns the endpoint that a path belongs to, or false. It knows what
// these connectors use of the contract.
func find(t *testing.T, endpoints map[string]any, path string) (id string, endpoint map[string]any, ok bool) {
	t.Helper()
	for _, id := range sorted(endpoints) {
		endpoint := endpoints[id].(map[string]any)
		if enabled, given := endpoint["enabled"]; given && enabled != true {
			continue
		}
		template := strings.Split(endpoint["path"].(string), "/")
		segments := strings.Split(path, "/")
		ok := len(template) == len(segments)
		for n := 0; ok && n < len(template); n++ {
			if name, isParameter := strings.CutPrefix(template[n], "{"); isParameter {
				rule := endpoint["params"].(map[string]any)[strings.TrimSuffix(name, "}")].(map[string]any)
				pattern, _ := rule["pattern"].(string)
				if operation(rule) == "reversible" {
					pattern = `^p~[A-Za-z0-9_-]{43,}$`
				}
				ok = regexp.MustCompile(pattern).MatchString(segments[n])
			} else {
				ok = template[n] == segments[n]
			}
		}
		if ok {
			return id, endpoint, true
		}
	}
	return "", nil, false
}
