package extproc

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/graphveil/graphveil/extproc/wire"
)

// TestCallerOf: claims are a caller's, where they can be read; where they cannot, there
// is no caller at all.
func TestCallerOf(t *testing.T) {
	claims := func(of map[string]any) string {
		s, err := structpb.NewStruct(of)
		if err != nil {
			t.Fatal(err)
		}
		b, err := proto.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, test := range map[string]struct {
		claims, identity string
		fails            bool
	}{
		"none":            {"", "CN=a", false},
		"a token":         {claims(map[string]any{claimsKey: map[string]any{"sub": "reader"}}), "CN=a\x00reader", false},
		"no subject":      {claims(map[string]any{claimsKey: map[string]any{"iss": "i"}}), "CN=a", false},
		"another subject": {claims(map[string]any{claimsKey: map[string]any{"sub": 1.0}}), "CN=a", false},
		"another key":     {claims(map[string]any{"header": map[string]any{"sub": "reader"}}), "CN=a", false},
		"no object":       {claims(map[string]any{claimsKey: "sub"}), "CN=a", false},
		"malformed":       {"\xff", "", true},
	} {
		caller, err := callerOf(&wire.Request{Claims: test.claims, Attributes: []wire.Header{{Name: "connection.subject_peer_certificate", Value: "CN=a"}}})
		if (err != nil) != test.fails {
			t.Errorf("%s: error %v", name, err)
		}
		if got := identityOf(caller); got != test.identity {
			t.Errorf("%s: identity %q, want %q", name, got, test.identity)
		}
	}
}
