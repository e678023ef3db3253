package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
)

// tokenDocument is a document that Psoxy refuses for the plain ids in its URL, so
// it says nothing of what it would answer where ids are tokens.
type tokenDocument struct {
	id, variant string
	exchange    offlineExchange
}

// compareTokens asks for the documents with tokens, and compares with what Psoxy
// answers where ids are clear: nothing else may come out, and values are the same or
// tokens. It returns how many of each variant were compared.
func compareTokens(t *testing.T, gateways map[string]*extproc.Gateway, documents []tokenDocument, clear map[string]any) map[string]int {
	t.Helper()
	compared := map[string]int{}
	for _, d := range documents {
		out, result := sanitizeOne(t.Context(), gateways[d.variant], d.exchange)
		if result.outcome == extproc.OutcomeDenied {
			continue
		}
		body, ok := clear[documentKey(d.variant, d.id)]
		switch {
		case result.outcome != extproc.OutcomeSanitized:
			t.Errorf("%s by token: %v", d.id, result.reasons)
		case !ok:
			t.Errorf("%s by token: served, but Psoxy refuses it with plain ids too", d.id)
		default:
			compared[d.variant]++
			within(t, d.id+" by token: ", decodeJSON(t, out), body)
		}
	}
	return compared
}

// documentKey is the same for one document in all variants of a connector.
func documentKey(variant, id string) string {
	_, document, _ := strings.Cut(id, ":")
	return psoxyVariants[variant].connector + ":" + document
}

// within wants ours to be a part of theirs, but for tokens and sealed links.
func within(t *testing.T, at string, ours, theirs any) {
	t.Helper()
	switch value := ours.(type) {
	case map[string]any:
		object, _ := theirs.(map[string]any)
		for name, v := range value {
			if their, ok := object[name]; !ok {
				t.Errorf("%s/%s is here only", at, name)
			} else if !sealedLink(v) {
				within(t, at+"/"+name, v, their)
			}
		}
	case []any:
		array, _ := theirs.([]any)
		if len(array) != len(value) {
			t.Errorf("%s has other elements", at)
			return
		}
		for i := range value {
			within(t, at, value[i], array[i])
		}
	default:
		text, _ := ours.(string)
		if !strings.HasPrefix(text, "t~") && !strings.HasPrefix(text, "p~") && !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%s has another value", at)
		}
	}
}
