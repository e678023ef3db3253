package wire

import (
	"unicode/utf8"

	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
)

// config reads a ProtocolConfiguration.
func (r *Request) config(p part) error {
	if r.configured || p.b == nil {
		return errForm
	}
	r.configured = true
	var seen [configResponseBody + 1]bool
	for len(p.b) > 0 {
		num, value, inner, err := p.next()
		if err != nil {
			return err
		}
		if num > configResponseBody {
			continue
		}
		if seen[num] || inner.b != nil {
			return errForm
		}
		seen[num] = true
		mode := filterv3.ProcessingMode_BodySendMode(int32(value))
		if num == configRequestBody {
			r.RequestBodyMode = mode
		} else {
			r.ResponseBodyMode = mode
		}
	}
	return nil
}

// attributes reads an entry of the map of attributes: a Struct.
func (r *Request) attributes(p part) error {
	name, fields, err := entry(p)
	if err != nil || name != attributesKey {
		return err
	}
	if r.attributed {
		return errForm
	}
	r.attributed = true
	for len(fields.b) > 0 {
		num, _, field, err := fields.next()
		if err != nil {
			return err
		}
		if num != structFields {
			continue
		}
		if field.b == nil {
			return errForm
		}
		if err := r.attribute(field); err != nil {
			return err
		}
	}
	return nil
}

// attribute reads an entry of a Struct.
func (r *Request) attribute(p part) error {
	name, value, err := entry(p)
	if err != nil {
		return err
	}
	for _, a := range r.Attributes {
		if a.Name == name {
			return errForm
		}
	}
	kinds := 0
	for len(value.b) > 0 {
		num, _, inner, err := value.next()
		if err != nil {
			return err
		}
		if num > valueLast {
			continue
		}
		if kinds++; kinds > 1 {
			return errForm
		}
		if num != valueString {
			continue // a number, list or the like: nothing that is asked for
		}
		if inner.b == nil || !utf8.Valid(inner.b) {
			return errForm
		}
		r.Attributes = append(r.Attributes, Header{name, inner.text})
	}
	return nil
}

// metadata reads a Metadata.
func (r *Request) metadata(p part) error {
	if r.described {
		return errForm
	}
	r.described = true
	claimed := false
	for len(p.b) > 0 {
		num, _, filter, err := p.next()
		if err != nil {
			return err
		}
		if num != metadataFilters {
			continue
		}
		name, fields, err := entry(filter)
		if err != nil {
			return err
		}
		if name != claimsNamespace {
			continue
		}
		if claimed {
			return errForm
		}
		claimed, r.Claims = true, fields.text
	}
	return nil
}

// entry reads an entry of a map from strings to messages.
func entry(p part) (name string, value part, err error) {
	if p.b == nil {
		return "", part{}, errForm
	}
	var key part
	for len(p.b) > 0 {
		num, _, inner, err := p.next()
		if err != nil {
			return "", part{}, err
		}
		at := &value
		switch num {
		case entryKey:
			at = &key
		case entryValue:
		default:
			continue
		}
		if inner.b == nil || at.b != nil {
			return "", part{}, errForm
		}
		*at = inner
	}
	if !utf8.Valid(key.b) {
		return "", part{}, errForm
	}
	return key.text, value, nil
}
