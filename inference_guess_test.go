package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/plan"
)

// guess is a gateway with the shipped policy, and its endpoints.
type guess struct {
	*testing.T
	gateway   *extproc.Gateway
	endpoints []policy.EndpointInfo
	answered  int
}

// shippedPolicy is loaded once for all of them.
var shippedPolicy = sync.OnceValues(func() (*policy.Snapshot, error) {
	return policy.Load(context.Background(), policy.Config{})
})

func newGuess(t *testing.T) *guess {
	t.Helper()
	s, err := shippedPolicy()
	if err != nil {
		t.Fatal(err)
	}
	g := &guess{T: t, gateway: gatewayOf(t, s)}
	for _, e := range s.Endpoints() {
		if e.ServedBy == "" {
			g.endpoints = append(g.endpoints, e)
		}
	}
	return g
}

// path is a request of an endpoint that is answered.
func path(e policy.EndpointInfo) string {
	_, target, _ := strings.Cut(goldenRequest(e), " ")
	return target
}

// ask returns the code with which a request is refused, or "" if it goes upstream.
func (g *guess) ask(target string) string {
	g.Helper()
	x := g.gateway.NewExchange()
	defer x.Close()
	_, refusal := x.Request(g.Context(), requestHeadOf("GET", target))
	if refusal == nil {
		return ""
	}
	if strings.Contains(refusal.Message+strings.Join(refusal.Reasons, " "), canary) {
		g.Errorf("%s: the refusal quotes the request: %+v", target, refusal)
	}
	return refusal.Code
}

// refused wants one of the codes for path?option=value. Without the option the
// request must be answered.
func (g *guess) refused(e policy.EndpointInfo, option, value string, codes ...string) {
	g.Helper()
	target := path(e) + "?" + option + "=" + url.QueryEscape(value)
	if got := g.ask(target); !slices.Contains(codes, got) {
		g.Errorf("%s.%s: %s=%s gives %q, want one of %q", e.Connector, e.ID, option, value, got, codes)
	}
}

// control counts a request that must be answered, for the test to mean something.
func (g *guess) control(e policy.EndpointInfo, option, value string) {
	g.Helper()
	g.answered++
	g.refused(e, option, value, "")
}

// done fails a test none of whose controls was tried.
func (g *guess) done() {
	g.Helper()
	if g.answered == 0 {
		g.Error("no endpoint answers such a question about what it does not hide")
	}
}

// lists tells whether an endpoint lists an option.
func lists(e policy.EndpointInfo, option string) (policy.QueryInfo, bool) {
	i := slices.IndexFunc(e.Query, func(q policy.QueryInfo) bool { return q.Name == option })
	if i < 0 {
		return policy.QueryInfo{}, false
	}
	return e.Query[i], true
}

// hidden are the properties of an endpoint's items that do not leave as they are,
// and some that Graph has whether the policy names them or not.
func hidden(e policy.EndpointInfo) []string {
	clear := map[string]bool{}
	var visit func(n *plan.Node, path string)
	visit = func(n *plan.Node, path string) {
		switch {
		case n == nil:
			clear[path] = false
		case n.Op == plan.Array:
			visit(n.Items, path)
		case n.Op == plan.Choose:
			for _, kind := range n.Choice.Cases {
				visit(kind, path)
			}
			visit(n.Choice.Else, path)
		case n.Op == plan.Object:
			for _, f := range n.Object.All() {
				if strings.ContainsAny(f.Name, "@+") {
					continue // an annotation, which no expression can name
				}
				visit(f.Node, strings.TrimPrefix(path+"/"+f.Name, "/"))
			}
		default:
			before, twice := clear[path]
			clear[path] = n.Op == plan.Keep && (before || !twice)
		}
	}
	root := e.Plan.Root
	if f := root.Object.Lookup([]byte("value")); f != nil && f.Node.Op == plan.Array {
		root = f.Node
	}
	visit(root, "")
	paths := []string{"passwordProfile/password", "onPremisesExtensionAttributes/extensionAttribute1", "unknownSecret"}
	for path, kept := range clear {
		if !kept && path != "" {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// Codes of questions that are not answered.
var (
	noOption = []string{"query_not_allowed"}
	noFilter = []string{"query_not_allowed", "filter_property_not_allowed", "id_not_pseudonymous"}
	noOrder  = []string{"query_not_allowed", "filter_property_not_allowed"}
)
