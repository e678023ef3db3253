package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/graphveil/graphveil/policy/plan"
)

// Snapshot is one policy, compiled. It never changes and may be used by any
// number of goroutines.
type Snapshot struct {
	revision        string
	connectors      []ConnectorInfo
	endpoints       []*endpoint
	router          *router
	responseHeaders map[string]bool
	deltaOptions    map[string]bool
	decision        *query
	// unneeded are complaints about permissions that no endpoint needs.
	unneeded Errors
	// bundles are the revisions of the delivered bundles, by name.
	bundles map[string]string
}

// ConnectorInfo describes a connector.
type ConnectorInfo struct {
	Name, Title, Description string
	// Permissions are the application permissions that its endpoints need, all of
	// them together, sorted.
	Permissions []string
	// Setup says what an administrator has to know or do beyond granting them, in
	// words of SetupWords, sorted.
	Setup []string
}

// EndpointInfo describes an endpoint that the policy serves.
type EndpointInfo struct {
	Connector, ID string
	// Title and Description are from the rule's METADATA, or empty.
	Title, Description string
	Methods            []string
	// Path is the template, as /v1.0/users/{user}.
	Path string
	// Params say in words what each parameter may be.
	Params map[string]string
	Query  []QueryInfo
	// Headers are the request headers that are forwarded, as the policy spells them.
	Headers []string
	// Media are the media types of a successful response. Empty means JSON;
	// text/plain is one whole number.
	Media []string
	// Permissions are the application permissions that a request to it needs, all of
	// them, sorted. An endpoint that does not say is taken to need all of the
	// connector's.
	Permissions []string
	// Limit is what Graph lets through of it and others, the zero Limit if the policy
	// does not say.
	Limit Limit
	// ServedBy is the connector that answers where two serve the same; empty if
	// it is this one. Requests are then made with the token of that connector, so that
	// the application of this one needs Permissions only where it is served alone.
	ServedBy string
	// File and Line say where the rule is.
	File string
	Line int
	// Plan and ErrorPlan rewrite the response: successes, and errors.
	Plan, ErrorPlan *plan.Plan

	probe probe
}

// QueryInfo is a query option that an endpoint allows.
type QueryInfo struct {
	// Name is as the policy spells it; OData's own begin with "$".
	Name string
	// Rule says in words which values; empty means any.
	Rule string
	// Properties are those that the value may use, for options that have such a
	// list, sorted.
	Properties []string
}

// Load reads, checks and compiles a policy. If anything is wrong with it the
// error is an Errors with everything that was found.
func Load(ctx context.Context, config Config) (*Snapshot, error) {
	s, err := readSources(config)
	if err != nil {
		return nil, err
	}
	return s.activate(ctx)
}

func (s *sources) activate(ctx context.Context) (*Snapshot, error) {
	var p problems
	modules := s.parse(&p, false)
	if err := p.err(); err != nil {
		return nil, err
	}
	c, err := s.compile(modules)
	if err != nil {
		return nil, err
	}
	a := activation{problems: &p, c: c}
	if err := a.evaluate(ctx); err != nil {
		return nil, err
	}
	c.checkLate(&p, a.options, a.connectorNames(), a.endpointIDs())
	a.selectConnectors(s.serve)
	snapshot := &Snapshot{responseHeaders: a.headers, deltaOptions: a.deltas, connectors: a.connectors, endpoints: a.endpoints, unneeded: a.unneeded}
	snapshot.router = p.newRouter(c, a.endpoints, a.refusals, a.namespaces)
	if err := p.err(); err != nil {
		return nil, err
	}
	if snapshot.revision, err = s.revision(); err != nil {
		return nil, err
	}
	for _, e := range a.endpoints {
		if server := snapshot.router.server(e); server != e {
			e.info.ServedBy = server.info.Connector
		}
	}
	for _, e := range a.endpoints {
		e.source = nil // all is known of it, and it is large
	}
	return snapshot, snapshot.prepare(ctx, c)
}

// decisionPath is the document that decides requests.
var decisionPath = []string{"graphveil", "decision"}

// prepare compiles the query of the decision.
func (s *Snapshot) prepare(ctx context.Context, c *compiled) error {
	s.shareWords()
	s.shareContracts()
	data, err := c.baseData(map[string]ast.Value{"endpoints": s.contracts()})
	if err != nil {
		return err
	}
	compiler, err := c.compileReach(decisionPath)
	if err != nil {
		return err
	}
	if s.decision, err = newQuery(ctx, "data."+strings.Join(decisionPath, "."), compiler, data); err != nil {
		return fmt.Errorf("preparing the decision: %w", err)
	}
	return nil
}

// contracts is data.graphveil.endpoints.
func (s *Snapshot) contracts() ast.Value {
	connectors := map[string]ast.Object{}
	for _, e := range s.endpoints {
		if connectors[e.info.Connector] == nil {
			connectors[e.info.Connector] = ast.NewObject()
		}
		connectors[e.info.Connector].Insert(ast.StringTerm(e.info.ID), ast.NewTerm(e.contract))
	}
	all := ast.NewObject()
	for name, ids := range connectors {
		all.Insert(ast.StringTerm(name), ast.NewTerm(ids))
	}
	return all
}

// asValue keeps results as OPA has them: converted, sets would look like arrays.
func asValue(term *ast.Term, _ *rego.EvalContext) (any, error) { return term.Value, nil }

// Revision is a digest of the Rego, the data and the settings. Equal revisions
// decide equally.
func (s *Snapshot) Revision() string { return s.revision }

// Bundles are the names of the delivered bundles that the policy is made of, each
// with the revision that its manifest has. It must not be changed; nil means none.
func (s *Snapshot) Bundles() map[string]string { return s.bundles }

// Connectors describes the connectors, sorted by name.
func (s *Snapshot) Connectors() []ConnectorInfo { return slices.Clone(s.connectors) }

// Endpoints describes the endpoints, sorted by connector and id. Those that the
// options switch off are not among them.
func (s *Snapshot) Endpoints() []EndpointInfo {
	infos := make([]EndpointInfo, len(s.endpoints))
	for i, e := range s.endpoints {
		infos[i] = e.info
	}
	return infos
}

// AllowsResponseHeader tells whether a response header, its name in lower case,
// may reach the client.
func (s *Snapshot) AllowsResponseHeader(name string) bool { return s.responseHeaders[name] }

// server returns the endpoint that answers for e.
func (r *router) server(e *endpoint) *endpoint {
	n := r.root
	for _, s := range e.template {
		n = n.below(s)
	}
	return n.endpoints[e.info.Methods[0]]
}

func sortEndpoints(list []*endpoint) {
	slices.SortFunc(list, func(a, b *endpoint) int {
		return cmp.Or(strings.Compare(a.info.Connector, b.info.Connector), strings.Compare(a.info.ID, b.info.ID))
	})
}
