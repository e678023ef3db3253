package check

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/graphveil/graphveil/envoy"
)

// parse reads JSON or YAML. Its errors have no text of the input, which may have
// secrets, but say where it is wrong.
func parse(data []byte) (map[string]any, error) {
	if trimmed := bytes.TrimSpace(data); len(trimmed) == 0 {
		return nil, errors.New("the file is empty; give it a bootstrap, or what Envoy's admin interface answers to /config_dump?include_eds")
	} else if trimmed[0] != '{' {
		converted, err := yaml.YAMLToJSON(data)
		if err != nil {
			return nil, fmt.Errorf("it is neither JSON nor valid YAML%s; `envoy --mode validate -c FILE` says more", yamlLine(err))
		}
		data = converted
	}
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		at := ""
		if wrong := (*jsontext.SyntacticError)(nil); errors.As(err, &wrong) {
			at = fmt.Sprintf(", at byte %d", wrong.ByteOffset)
		}
		return nil, fmt.Errorf("it is not valid JSON, has a name twice, or is no object%s; `envoy --mode validate -c FILE` says more", at)
	}
	return tree, nil
}

func yamlLine(err error) string {
	if wrong := (*yaml.SyntaxError)(nil); errors.As(err, &wrong) && wrong.Token != nil && wrong.Token.Position != nil {
		return fmt.Sprintf(", in line %d", wrong.Token.Position.Line)
	}
	return ""
}

func decode(tree any, m proto.Message) error {
	raw, err := json.Marshal(tree)
	if err != nil {
		return errors.New("it cannot be written as JSON") // what was read can
	}
	if err := protojson.Unmarshal(raw, m); err != nil {
		return whereWrong(raw, err.Error())
	}
	return nil
}

// wrongAt is how protojson says where it stopped.
var wrongAt = regexp.MustCompile(`\(line 1:([0-9]+)\): (unknown field)?`)

// whereWrong says what is wrong with a configuration and where, without the value that
// the error of protojson quotes: it may be a secret.
func whereWrong(raw []byte, said string) error {
	what, place := "a value is not of its type", ""
	if found := wrongAt.FindStringSubmatch(said); found != nil {
		if found[2] != "" {
			what = "a field is not known"
		}
		column, _ := strconv.Atoi(found[1])
		place = " at " + printable(string(pointerAt(raw, int64(column-1))))
	}
	return fmt.Errorf("%s%s; graphveil knows the types of Envoy %s: `envoy --mode validate -c FILE` of that version says whether it is a mistake or of another version", what, place, envoy.Version)
}

// pointerAt is the JSON pointer to what stands at an offset.
func pointerAt(raw []byte, offset int64) jsontext.Pointer {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		if _, err := d.ReadToken(); err != nil || d.InputOffset() > offset {
			return d.StackPointer()
		}
	}
}

// closedPrefix begins the string that stands for an extension of an unknown type. The
// type follows, and after a line break what it says, so that it can be searched.
const closedPrefix = "type unknown to graphveil: "

// closeUnknown puts such strings in place of the extensions whose types are unknown,
// and opens TypedStruct, which is a way to write any other.
func closeUnknown(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = closeUnknown(v[i])
		}
	case map[string]any:
		for strings.HasSuffix(text(v["@type"]), ".TypedStruct") {
			opened := map[string]any{"@type": v["type_url"]}
			if v["type_url"] == nil {
				opened["@type"] = v["typeUrl"]
			}
			inner, _ := v["value"].(map[string]any)
			for key, value := range inner {
				opened[key] = value
			}
			v = opened
		}
		if url := text(v["@type"]); url != "" {
			if _, err := protoregistry.GlobalTypes.FindMessageByURL(url); err != nil {
				raw, _ := json.Marshal(v) // it was read from JSON
				return map[string]any{
					"@type": "type.googleapis.com/google.protobuf.StringValue",
					"value": closedPrefix + url[strings.LastIndexByte(url, '/')+1:] + "\n" + string(raw),
				}
			}
		}
		for key := range v {
			v[key] = closeUnknown(v[key])
		}
		return v
	}
	return v
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// typeOf is the full name of the message in an Any, closed or not.
func typeOf(a *anypb.Any) string {
	if closed := (&wrapperspb.StringValue{}); a.UnmarshalTo(closed) == nil {
		if rest, ok := strings.CutPrefix(closed.GetValue(), closedPrefix); ok {
			name, _, _ := strings.Cut(rest, "\n")
			return name
		}
	}
	return string(a.MessageName())
}

// open reads an Any as a T. Nil says that it is something else.
func open[T any, P interface {
	*T
	proto.Message
}](a *anypb.Any) P {
	m := P(new(T))
	if a == nil || a.UnmarshalTo(m) != nil {
		return nil
	}
	return m
}
