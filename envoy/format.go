package envoy

import (
	"bytes"
	"encoding/json"
	"fmt"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
)

// JSON writes a bootstrap as Envoy reads it from a file that ends in .json. Keys
// are in the order of the protos, and the same bootstrap always gives the same
// bytes.
func JSON(b *bootstrapv3.Bootstrap) ([]byte, error) {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("writing the bootstrap: %w", err)
	}
	// protojson varies its white space on purpose.
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("writing the bootstrap: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// YAML writes a bootstrap as Envoy reads it from a file that ends in .yaml, in
// the order of [JSON].
func YAML(b *bootstrapv3.Bootstrap) ([]byte, error) {
	raw, err := JSON(b)
	if err != nil {
		return nil, err
	}
	var ordered yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(raw, &ordered, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("writing the bootstrap: %w", err)
	}
	out, err := yaml.MarshalWithOptions(ordered, yaml.Indent(2), yaml.IndentSequence(false))
	if err != nil {
		return nil, fmt.Errorf("writing the bootstrap: %w", err)
	}
	return out, nil
}
