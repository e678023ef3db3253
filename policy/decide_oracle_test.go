package policy

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/graphveil/graphveil/policy/odata"
)

// TestDecisionOracle decides generated requests for every shipped endpoint, under
// several options and with rules of an author, as the library does and as
// testdata/decision/oracle.rego does: allow and all reasons must be the same. Among
// them are good requests and each kind of bad ones; how many of each kind there were
// is asserted, and that good ones are seen to be so in one pass.
func TestDecisionOracle(t *testing.T) {
	custom := t.TempDir()
	if err := os.WriteFile(filepath.Join(custom, "custom.rego"), []byte(`package graphveil.custom

deny contains "no_top" if input.odata.top > 40

deny contains "by_header" if input.request.headers["x-deny"] == "yes"

deny contains sprintf("endpoint:%s", [input.endpoint.id]) if startswith(input.endpoint.id, "group")

deny contains false if input.request.query.skip == "7"

deny contains "past" if time.now_ns() < 1000
`), 0o644); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for name, config := range map[string]Config{
		"default": {},
		"last":    {Settings: map[string]string{"calls": "off", "encoding": "json", "endpoints": "all", "groups": "off", "ids": "clear", "level": "strict"}},
		"strict":  {Settings: map[string]string{"level": "strict", "endpoints": "all"}},
		"custom":  {Paths: []string{Builtin, custom}},
	} {
		t.Run(name, func(t *testing.T) {
			s, oracle := withOracle(t, config)
			r := &requests{Rand: rand.New(rand.NewPCG(5, uint64(len(name))))}
			allowed := 0
			for _, e := range s.endpoints {
				r.samples(s, e)
				for range 60 {
					route, in := r.request(e)
					input, err := in.value(route)
					if err != nil {
						kinds["no segment"]++
						continue
					}
					want, err := oracle.eval(t.Context(), input)
					if err != nil {
						t.Fatal(err)
					}
					seen := &reasonsTracer{}
					got, err := s.decision.eval(t.Context(), input)
					if err != nil || got.Compare(want) != 0 {
						t.Fatalf("%s.%s: %v\n%v, want\n%v (%v)", e.info.Connector, e.info.ID, input, got, want, err)
					}
					if traced, err := s.decision.eval(t.Context(), input, seen); err != nil || traced.Compare(want) != 0 {
						t.Fatalf("%v: traced %v, want %v (%v)", input, traced, want, err)
					}
					allow, reasons, ok := readDecision(got)
					if !ok || allow != (len(reasons) == 0) {
						t.Fatalf("no decision: %v", got)
					}
					if allow {
						allowed++
						kinds["allowed"]++
						// Only what the upstream wrote may be allowed though it does not parse.
						if malformed := input.(ast.Object).Get(member("odata")).Value.(ast.Object).Get(member("malformed")); seen.entered && malformed.Equal(ast.InternedEmptyArray) {
							t.Errorf("not seen to be plain: %v", input)
						}
					}
					for _, reason := range reasons {
						code, _, _ := strings.Cut(reason, ":")
						kinds[code]++
					}
				}
			}
			if allowed < 10*len(s.endpoints) {
				t.Errorf("only %d requests were allowed", allowed)
			}
		})
	}
	for _, kind := range []string{
		"allowed", "no segment", "method_not_allowed", "id_not_allowed", "query_not_allowed", "query_malformed", "query_value_not_allowed",
		"filter_property_not_allowed", "header_value_not_allowed", "no_top", "by_header", "endpoint", "",
	} {
		if kinds[kind] < 20 {
			t.Errorf("only %d requests of kind %q: %v", kinds[kind], kind, kinds)
		}
	}
}

// withOracle loads a policy, and the oracle over the same data and custom rules.
func withOracle(t *testing.T, config Config) (*Snapshot, *query) {
	t.Helper()
	s, err := Load(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := readSources(config)
	if err != nil {
		t.Fatal(err)
	}
	var p problems
	modules := sources.parse(&p, false)
	text, err := os.ReadFile("testdata/decision/oracle.rego")
	if err != nil {
		t.Fatal(err)
	}
	modules["oracle"] = ast.MustParseModule(string(text))
	compiler := ast.NewCompiler()
	if compiler.Compile(modules); compiler.Failed() || p.err() != nil {
		t.Fatal(compiler.Errors, p.err())
	}
	oracle, err := newQuery(t.Context(), "data.oracle.decision", compiler, s.decision.data.data)
	if err != nil {
		t.Fatal(err)
	}
	return s, oracle
}

// reasonsTracer notes whether the reasons were gone through one by one.
type reasonsTracer struct{ entered bool }

func (*reasonsTracer) Enabled() bool               { return true }
func (*reasonsTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }
func (r *reasonsTracer) TraceEvent(event topdown.Event) {
	rule, ok := event.Node.(*ast.Rule)
	r.entered = r.entered || ok && event.Op == topdown.EnterOp && rule.Ref().GroundPrefix().String() == "data.graphveil.reasons"
}

// requests generates them: mostly good, each with a few changes.
type requests struct {
	*rand.Rand
	// good are values that an endpoint takes, by parameter.
	good map[string][]string
}

func (r *requests) one(list ...string) string { return list[r.IntN(len(list))] }

// maybe tells whether to do what is done to one in n.
func (r *requests) maybe(n int) bool { return r.IntN(n) == 0 }

var someValues = []string{
	"a1", "AAMkAGI1", "AAMkAGI1AAA=", "48d31887-5fad-4d73-a9f5-3c356e68a038", "2024-01-01T00:00:00Z", "2024-01-01", "inbox", "19:abc@thread.tacv2", "19:abc@thread.v2",
	"b!AbC_-1", "01ABCDEF", "MSo1N2Y5ZGFjYy03MWJm", "0123456789abcdef0123456789abcdef", "x", "lastDay", "latest", "eventual", "strong", "true", "false",
	`IdType="ImmutableId"`, `outlook.timezone="UTC"`, "omit-values=nulls", "include-unknown-enum-members",
}

// samples finds values for the parameters of an endpoint.
func (r *requests) samples(s *Snapshot, e *endpoint) {
	r.good = map[string][]string{}
	for name := range e.info.Params {
		if e.reversible[name] {
			r.good[name] = []string{"p~" + strings.Repeat("Ab1-_", 13)}
			continue
		}
		rule := e.rules[name]
		for _, v := range append(slices.Clone(someValues), anyStrings(rule.values)...) {
			if rule.pattern == nil && rule.values == nil || rule.pattern != nil && rule.pattern.MatchString(v) || slices.Contains(rule.values, any(strings.ToLower(v))) {
				r.good[name] = append(r.good[name], v)
			}
		}
	}
}

func anyStrings(list []any) []string {
	var strings []string
	for _, v := range list {
		strings = append(strings, v.(string))
	}
	return strings
}

func (r *requests) request(e *endpoint) (Route, Input) {
	route := Route{Connector: e.info.Connector, Endpoint: e.info.ID, endpoint: e}
	in := Input{Method: e.info.Methods[0], Headers: map[string]string{"host": "graph.microsoft.com"}, Caller: Caller{Subject: "caller"}}
	bad := 40 // good, all but one request in so many for each thing that can be wrong
	if r.maybe(2) {
		bad = 6
	}
	if r.maybe(bad) {
		in.Method = r.one("POST", "HEAD", "get", "")
	}
	in.Sealed = r.maybe(4)
	add := func(name, value string, argument bool, i int) {
		if r.maybe(bad) {
			value = r.one("delta", "ME", "$count", "a(b)", "x:", "microsoft.graph.user", "it's", "", "..", "p~x", "getAllMessages", "Inbox")
		}
		route.Params = append(route.Params, Param{Name: name, Value: value, Segment: i, Quoted: argument, Reversible: e.reversible[name]})
	}
	for i, segment := range e.template {
		if segment.kind == parameter {
			add(segment.text, r.one(append(r.good[segment.text], "a1")[:max(1, len(r.good[segment.text]))]...), false, i)
		}
		for _, a := range segment.arguments {
			add(a.param, r.one(append(r.good[a.param], "a1")[:max(1, len(r.good[a.param]))]...), true, i)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.options)) {
		if r.maybe(2) {
			in.Target.Options = append(in.Target.Options, odata.Option{Name: name, Value: r.option(e, name, bad)})
		}
	}
	for _, name := range []string{"search", "apply", "skiptoken", "deltatoken", "token", "skip", "other", "select", "filter", "orderby", "expand", "top"} {
		given := slices.ContainsFunc(in.Target.Options, func(o odata.Option) bool { return o.Name == name })
		if sealed := in.Sealed && strings.Contains(name, "ski"); !given && (r.maybe(4*bad) || sealed && r.maybe(3)) {
			in.Target.Options = append(in.Target.Options, odata.Option{Name: name, Value: r.one("7", "id", "x y", "id eq '1'")})
		}
	}
	for _, name := range e.headers {
		if r.maybe(2) {
			in.Headers[name] = r.one(someValues[len(someValues)-10:]...)
		}
	}
	for name, value := range map[string]string{"x-deny": "yes", "prefer": "other, x=1", "consistencylevel": "weak", "authorization": "Bearer x"} {
		if r.maybe(2 * bad) {
			in.Headers[name] = value
		}
	}
	return route, in
}

// option is a value of an option that the endpoint has.
func (r *requests) option(e *endpoint, name string, bad int) string {
	if r.maybe(bad) {
		return r.one("", "((", "id,,", "-1", "'", "100000000", "hidden/property", "*", "id eq 'x' or", "contains(id,'x')")
	}
	info := e.info.Query[slices.IndexFunc(e.info.Query, func(q QueryInfo) bool { return q.Name == e.options[name] })]
	properties := info.Properties
	if len(properties) == 0 || r.maybe(bad) {
		for _, p := range e.record {
			properties = append(properties, p.spelling)
		}
		slices.Sort(properties)
	}
	if len(properties) == 0 {
		properties = []string{"id"}
	}
	switch property := r.one(properties...); name {
	case "select":
		return property + r.one("", ","+r.one(properties...), ",ID")
	case "expand":
		return property + r.one("", "($select=id)", "($top=1;$select=id)", "($filter=id eq 'x')")
	case "orderby":
		return property + r.one("", " desc", ","+r.one(properties...))
	case "filter":
		for p := range e.tokenProperties {
			if r.maybe(2) {
				return p + r.one(" eq 'x'", " in ('x','y')", " ne 'x' and "+property+" eq 1", " gt 'x'")
			}
		}
		return property + r.one(" eq 'x'", " ge 2024-01-01T00:00:00Z", " ne null and not ("+r.one(properties...)+" eq true)")
	case "top", "skip":
		return r.one("1", "7", "10", "50", "999", "1000", "1001")
	case "count":
		return r.one("true", "false")
	}
	return r.one(someValues...)
}
