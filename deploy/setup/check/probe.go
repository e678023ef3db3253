package check

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/graphveil/graphveil/policy"
)

// Status is what came of asking an endpoint.
type Status string

// The statuses.
const (
	Works             Status = "works"
	NotFound          Status = "not_found"           // there is nothing of that name, but the permission was enough to be told so
	PermissionMissing Status = "permission_missing"  // 403, and a role that the endpoint needs is not in the token
	Refused           Status = "refused"             // 403, although its roles are in the token
	PolicyMissing     Status = "teams_policy_absent" // 403 for want of a Teams application access policy
	TokenRejected     Status = "token_rejected"      // 401
	Throttled         Status = "throttled"           // 429: ask again later
	BadRequest        Status = "bad_request"         // Graph does not understand the probe
	Unavailable       Status = "unavailable"         // 5xx, or no answer
	NotProbed         Status = "not_probed"
)

// outcome is what a status makes of the report.
func (s Status) outcome() Outcome {
	switch s {
	case Works, NotFound, NotProbed:
		return OK
	case PermissionMissing, Refused, PolicyMissing:
		return Missing
	}
	return Failed
}

// Endpoint is what was found about one endpoint.
type Endpoint struct {
	ID string `json:"endpoint"`
	// Path is the template of the policy.
	Path   string `json:"path"`
	Status Status `json:"status"`
	// HTTP is Graph's status, 0 without an answer; Code is the code of its error, or a word of ours for what went wrong without one.
	HTTP int    `json:"http,omitempty"`
	Code string `json:"code,omitempty"`
	// RetryAfter is what Graph asked for, in seconds.
	RetryAfter int `json:"retry_after,omitempty"`
	// Hint says why, or what to do; may be empty.
	Hint string `json:"hint,omitempty"`

	info      policy.EndpointInfo
	connector *Connector
}

// prober asks endpoints, those first that need no parameters, and learns parameters from the lists that it gets.
type prober struct {
	client *http.Client
	host   string
	params map[string]string
	now    time.Time
	all    []*Endpoint
	open   []*Endpoint // of all, those still to be asked
	silent int         // how many in a row got no answer
}

// collect gathers the endpoints. One that another connector answers for is asked there.
func (p *prober) collect(s *policy.Snapshot, connectors []*Connector) error {
	if p.params == nil {
		p.params = map[string]string{}
	}
	for _, c := range connectors {
		c.Endpoints = []*Endpoint{}
		for _, info := range s.Endpoints() {
			if info.Connector != c.Name || info.ServedBy != "" {
				continue
			}
			e := &Endpoint{ID: info.ID, Path: info.Path, Status: NotProbed, info: info, connector: c}
			c.Endpoints, p.all = append(c.Endpoints, e), append(p.all, e)
			switch {
			case !slices.Contains(info.Methods, http.MethodGet):
				e.Hint = "it has no GET, and nothing else is harmless"
			case !c.Token.OK:
				e.Hint = "there is no token"
			default:
				p.open = append(p.open, e)
			}
		}
	}
	return p.unknownParams(s)
}

// maxSilent is after how many probes without any answer no further one is sent: each waits for its time limit.
const maxSilent = 2

// run asks all that it can, and says of the others what they lack.
func (p *prober) run(ctx context.Context) {
	slices.SortStableFunc(p.open, func(a, b *Endpoint) int {
		return cmp.Compare(len(a.info.ProbeParams()), len(b.info.ProbeParams()))
	})
	for asked := true; asked; {
		asked = false
		var later []*Endpoint
		for _, e := range p.open {
			if len(p.lacks(e)) > 0 {
				later = append(later, e)
				continue
			}
			if p.silent == maxSilent {
				e.Hint = "Graph did not answer those before"
				continue
			}
			p.ask(ctx, e)
			asked = true
		}
		p.open = later
	}
	for _, e := range p.open {
		lacks := p.lacks(e)
		e.Hint = "nothing was found for {" + lacks[0] + "}; --param " + lacks[0] + "=ID says what to ask for"
	}
}

// lacks are the parameters of an endpoint that have no value yet.
func (p *prober) lacks(e *Endpoint) []string {
	return slices.DeleteFunc(e.info.ProbeParams(), func(name string) bool { return p.params[name] != "" })
}

// maxAnswer bounds what is read of an answer, in bytes: pages of one record.
const maxAnswer = 4 << 20

// ask sends the probe of an endpoint.
func (p *prober) ask(ctx context.Context, e *Endpoint) {
	probe, err := e.info.Probe(p.params, p.now)
	if err != nil {
		e.Hint = "no probe can be made"
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+p.host+probe.Target, nil)
	if err != nil {
		e.Status, e.Code, e.Hint = BadRequest, "unusable_parameter", "the value of a --param cannot stand in a path"
		return
	}
	request.Header.Set("Accept", "application/json")
	if len(e.info.Media) > 0 {
		request.Header.Set("Accept", strings.Join(e.info.Media, ", "))
	}
	for name, value := range probe.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Authorization", "Bearer "+e.connector.bearer)
	response, err := p.client.Do(request)
	p.silent++
	if err != nil {
		e.Status, e.Code, e.Hint = Unavailable, networkWord(err), "Graph cannot be reached from here; envoy.upstream says how it is"
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	e.HTTP = response.StatusCode
	p.silent = 0
	if err != nil {
		e.Status, e.Code = Unavailable, networkWord(err)
		return
	}
	if response.StatusCode < 300 {
		e.Status = Works
		p.learn(e, body)
		return
	}
	e.classify(response, body)
}

// graphCode is what Graph's error codes look like; anything else is not shown.
var graphCode = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,100}$`)

// classify says what a refusal means. Nothing of the body is kept but the code.
func (e *Endpoint) classify(response *http.Response, body []byte) {
	var answer struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal(body, &answer) == nil && graphCode.MatchString(answer.Error.Code) {
		e.Code = answer.Error.Code
	}
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized:
		e.Status, e.Hint = TokenRejected, "Graph does not accept the token: the clock, the cloud, a revoked session, or no consent yet"
	case status == http.StatusForbidden && strings.Contains(strings.ToLower(answer.Error.Message), "application access policy"):
		e.Status, e.Hint = PolicyMissing, "a Teams application access policy must name the application: graphveil setup --for meetings; it takes up to 30 minutes"
	case status == http.StatusForbidden:
		e.forbidden()
	case status == http.StatusNotFound || status == http.StatusGone:
		e.Status, e.Hint = NotFound, "nothing is there, as for a user without a mailbox; the permission was enough to be told"
	case status == http.StatusTooManyRequests:
		e.Status, e.Hint = Throttled, "Graph is asked too often by this application; run it again later"
		e.RetryAfter, _ = strconv.Atoi(response.Header.Get("Retry-After"))
	case status >= 500:
		e.Status, e.Hint = Unavailable, "Graph failed; run it again later"
	case status >= 400:
		e.Status, e.Hint = BadRequest, "Graph does not take this request; a --param may be of the wrong kind"
	default:
		e.Status, e.Hint = BadRequest, "not an answer of Graph: is envoy.upstream right?"
	}
}

// forbidden tells a permission that is not granted from other reasons.
func (e *Endpoint) forbidden() {
	for _, permission := range e.info.Permissions {
		if !e.connector.holds(permission) || e.Code == "Authorization_IdentityNotFound" { // no consent in this tenant
			e.Status, e.Hint = PermissionMissing, "a permission is not granted: graphveil setup --for consent"
			return
		}
	}
	e.Status, e.Hint = Refused, "the permissions are in the token, so something else refuses: a scope of Exchange, a protected API of Teams, a license, or a consent that is minutes old"
}

// learn takes the id of the first record of a list as the value of parameters that name such a record.
func (p *prober) learn(e *Endpoint, body []byte) {
	names := p.namesFor(e)
	if len(names) == 0 {
		return
	}
	var page struct{ Value []struct{ ID string } }
	if json.Unmarshal(body, &page) != nil || len(page.Value) == 0 || page.Value[0].ID == "" {
		return
	}
	for _, name := range names {
		p.params[name] = page.Value[0].ID
	}
}
