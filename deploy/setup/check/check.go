// Package check finds out whether what an administrator had to do is done: it signs in as each application, compares the roles of its
// token with those that the plan needs, and asks each endpoint once, directly at Graph.
//
// Call [Run]. It changes nothing: it sends GET only, to endpoints of the policy. Of an answer it keeps the first id of a list, to fill
// in the parameters of other endpoints, and shows nothing but the status and Graph's error code; of a token it shows the names of roles.
package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/deploy/setup"
	"github.com/graphveil/graphveil/policy"
)

// Input is what is checked.
type Input struct {
	Tokens auth.Config
	// Policy serves the connectors of Tokens, and Plan was derived from it.
	Policy *policy.Snapshot
	Plan   *setup.Plan
	Graph  Upstream
	// Params are values for parameters of paths; those without are taken from lists.
	Params map[string]string
	// Progress is told what is being done, in a line each.
	Progress func(string)
}

// Outcome sums up a report.
type Outcome string

// The outcomes. Of several the first counts.
const (
	Failed  Outcome = "failed"  // something did not work, or could not be found out
	Missing Outcome = "missing" // something is not granted
	Excess  Outcome = "excess"  // more is granted than is needed
	OK      Outcome = "ok"
)

// Report is what was found.
type Report struct {
	Schema  int     `json:"schema"`
	Outcome Outcome `json:"outcome"`
	Tenant  string  `json:"tenant"`
	Graph   string  `json:"graph"`
	// Connectors are sorted by name.
	Connectors []*Connector `json:"connectors"`
}

// Connector is what was found about one connector.
type Connector struct {
	Name     string `json:"connector"`
	ClientID string `json:"client_id"`
	Token    Token  `json:"token"`
	Roles    Roles  `json:"roles"`
	// Endpoints are those that the connector answers for, sorted by id.
	Endpoints []*Endpoint `json:"endpoints"`

	bearer string
}

// Token is how signing in went.
type Token struct {
	OK bool `json:"ok"`
	// Code, AADSTS and Detail are those of an auth.Error, and Hint says what to do.
	Code   auth.Code `json:"code,omitempty"`
	AADSTS int       `json:"aadsts,omitempty"`
	Detail string    `json:"detail,omitempty"`
	Hint   string    `json:"hint,omitempty"`
	// Tenant and Application say whether the token is of the configured tenant and application: "matches", "differs", or "unknown",
	// as where the tenant is configured by name.
	Tenant      string `json:"tenant,omitempty"`
	Application string `json:"application,omitempty"`
}

// Roles are names of application roles, each list sorted.
type Roles struct {
	// Readable is false if the token is in no form that roles can be read from. Then the other lists are empty but Needed.
	Readable bool     `json:"readable"`
	Granted  []string `json:"granted"`
	Needed   []string `json:"needed"`
	Missing  []string `json:"missing"`
	// Covered are not in the token, and yet all endpoints that need them work: Exchange grants them for some mailboxes.
	Covered []string `json:"covered"`
	// Excess are granted, but no connector of this application needs them.
	Excess []string `json:"excess"`
}

// Run checks everything. The error is about the input; whatever happens between here and the tenant is in the report.
func Run(ctx context.Context, in Input) (*Report, error) {
	complete, _, err := in.Tokens.Complete()
	if err != nil {
		return nil, err
	}
	client, err := newClient(in.Graph)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	manager, err := auth.New(in.Tokens, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	r := &Report{Schema: 1, Tenant: complete.Tenant, Graph: in.Graph.Host}
	for _, name := range slices.Sorted(maps.Keys(complete.Connectors)) {
		c := &Connector{Name: name, ClientID: complete.Connectors[name].ClientID}
		in.Progress("signing in for " + name)
		c.signIn(ctx, manager, complete.Tenant)
		r.Connectors = append(r.Connectors, c)
	}
	p := prober{client: client, host: in.Graph.Host, params: maps.Clone(in.Params), now: time.Now()}
	if err := p.collect(in.Policy, r.Connectors); err != nil {
		return nil, err
	}
	in.Progress(fmt.Sprintf("asking %d endpoints for one record each", len(p.open)))
	p.run(ctx)
	for _, c := range r.Connectors {
		c.compare(in.Plan)
	}
	r.Outcome = r.sumUp()
	return r, nil
}

// signIn gets a token by one request to Entra.
func (c *Connector) signIn(ctx context.Context, m *auth.Manager, tenant string) {
	bearer, err := m.Token(ctx, c.Name)
	if err != nil {
		var failed *auth.Error
		if !errors.As(err, &failed) {
			failed = &auth.Error{Code: auth.CodeMalformed} // cannot be: the connector is configured
		}
		c.Token = Token{Code: failed.Code, AADSTS: failed.AADSTS, Detail: failed.Detail, Hint: auth.Hint(failed)}
		return
	}
	c.bearer = bearer
	c.Token = Token{OK: true, Tenant: "unknown", Application: "unknown"}
	claims, ok := readClaims(bearer)
	if !ok {
		return
	}
	c.Roles.Readable, c.Roles.Granted = true, claims.roles()
	c.Token.Application = matches(claims.application(), c.ClientID)
	if strings.Count(tenant, "-") == 4 && !strings.Contains(tenant, ".") { // an id, not a domain name
		c.Token.Tenant = matches(claims.Tenant, tenant)
	}
}

func matches(a, b string) string {
	switch {
	case a == "":
		return "unknown"
	case strings.EqualFold(a, b):
		return "matches"
	}
	return "differs"
}

// compare holds what is granted against the plan, after the endpoints were asked.
func (c *Connector) compare(plan *setup.Plan) {
	roles := &c.Roles
	roles.Granted, roles.Needed, roles.Missing, roles.Covered, roles.Excess = orEmpty(roles.Granted), []string{}, []string{}, []string{}, []string{}
	for _, a := range plan.Applications {
		if !slices.Contains(a.Connectors, c.Name) {
			continue
		}
		excess := slices.Clone(roles.Granted)
		for _, permission := range a.Permissions {
			excess = slices.DeleteFunc(excess, func(role string) bool { return role == permission.Name || role == permission.Role })
			var endpoints []string
			for _, why := range permission.Why {
				if why.Connector == c.Name {
					endpoints = append(endpoints, why.Endpoint)
				}
			}
			if len(endpoints) == 0 {
				continue // another connector of the application needs it
			}
			roles.Needed = append(roles.Needed, permission.Value())
			if !roles.Readable || slices.Contains(roles.Granted, permission.Name) || slices.Contains(roles.Granted, permission.Value()) {
				continue
			}
			if setup.ExchangeRoleOf(permission.Name) != "" && c.work(endpoints) {
				roles.Covered = append(roles.Covered, permission.Value())
			} else {
				roles.Missing = append(roles.Missing, permission.Value())
			}
		}
		roles.Excess = orEmpty(excess)
	}
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// work tells whether all of these endpoints answered with data.
func (c *Connector) work(ids []string) bool {
	for _, e := range c.Endpoints {
		if slices.Contains(ids, e.ID) && e.Status != Works {
			return false
		}
	}
	return true
}

// sumUp says what the report comes to.
func (r *Report) sumUp() Outcome {
	found := map[Outcome]bool{}
	for _, c := range r.Connectors {
		found[Failed] = found[Failed] || !c.Token.OK || c.Token.Tenant == "differs" || c.Token.Application == "differs"
		found[Missing] = found[Missing] || len(c.Roles.Missing) > 0
		found[Excess] = found[Excess] || len(c.Roles.Excess) > 0
		for _, e := range c.Endpoints {
			found[e.Status.outcome()] = true
		}
	}
	for _, outcome := range []Outcome{Failed, Missing, Excess} {
		if found[outcome] {
			return outcome
		}
	}
	return OK
}
