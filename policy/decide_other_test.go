package policy

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// TestDecisionOracleOfOtherInputs decides inputs that no request makes: in generated
// ones each member and element is taken out, or made something else. The library must
// decide them as the oracle does, also where what a `not` asks about is undefined.
func TestDecisionOracleOfOtherInputs(t *testing.T) {
	s, oracle := withOracle(t, Config{})
	r := &requests{Rand: rand.New(rand.NewPCG(7, 7))}
	others := []any{nil, false, true, "", 5, "5", []any{}, []any{"id"}, map[string]any{}, map[string]any{"id": true}, []any{map[string]any{}}}
	kinds := map[string]int{}
	for _, e := range s.endpoints {
		r.samples(s, e)
		for range 3 {
			route, in := r.request(e)
			input, err := in.value(route)
			if err != nil {
				continue
			}
			for _, path := range places(decoded(t, input), nil) {
				for _, input := range []any{without(decoded(t, input), path), with(decoded(t, input), path, others[r.IntN(len(others))])} {
					value, err := ast.InterfaceToValue(input)
					if err != nil {
						t.Fatal(err)
					}
					want, wantErr := oracle.eval(t.Context(), value)
					got, err := s.decision.eval(t.Context(), value)
					switch {
					case err != nil && wantErr != nil:
						kinds["error"]++
					case err != nil || wantErr != nil || got.Compare(want) != 0:
						t.Fatalf("%s.%s, %v: %v\n%v (%v), want\n%v (%v)", e.info.Connector, e.info.ID, path, value, got, err, want, wantErr)
					default:
						allow, _, _ := readDecision(got)
						kinds[strconv.FormatBool(allow)]++
					}
				}
			}
		}
	}
	if kinds["error"] < 100 || kinds["true"] < 1000 || kinds["false"] < 1000 {
		t.Errorf("too few of a kind: %v", kinds)
	}
}

func decoded(t *testing.T, v ast.Value) any {
	t.Helper()
	input, err := ast.JSON(v)
	if err != nil {
		t.Fatal(err)
	}
	return input
}

// places lists where the members and elements of a value are, at every depth.
func places(v any, at []any) (list [][]any) {
	add := func(key, inner any) {
		place := append(slices.Clip(at), key)
		list = append(append(list, place), places(inner, place)...)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			add(name, v[name])
		}
	case []any:
		for i := range v {
			add(i, v[i])
		}
	}
	return list
}

// with puts something else in a place.
func with(v any, place []any, other any) any {
	if len(place) == 0 {
		return other
	}
	switch v := v.(type) {
	case map[string]any:
		name := place[0].(string)
		v[name] = with(v[name], place[1:], other)
	case []any:
		i := place[0].(int)
		v[i] = with(v[i], place[1:], other)
	}
	return v
}

// without takes a place out.
func without(v any, place []any) any {
	switch v := v.(type) {
	case map[string]any:
		if name := place[0].(string); len(place) > 1 {
			v[name] = without(v[name], place[1:])
		} else {
			delete(v, name)
		}
	case []any:
		if i := place[0].(int); len(place) > 1 {
			v[i] = without(v[i], place[1:])
		} else {
			return slices.Delete(v, i, i+1)
		}
	}
	return v
}
