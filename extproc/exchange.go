package extproc

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/graphveil/graphveil/extproc/inflate"
	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/extproc/sanitize"
	"github.com/graphveil/graphveil/extproc/wire"
	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/odata"
	"github.com/graphveil/graphveil/policy/plan"
)

// Header is one header field. Name is in lower case.
type Header = wire.Header

// RequestHead is what a client asked for.
type RequestHead struct {
	Method string
	// Target is the path and query as received, undecoded.
	Target string
	// Scheme and Authority make the origin of sealed links where the
	// configuration names none.
	Scheme, Authority string
	// Headers are the other header fields, in the order received.
	Headers []Header
	// HasBody says that the head did not end the request.
	HasBody bool
	Caller  policy.Caller
}

// Forward is what goes upstream instead of what the client sent: everything
// that is not in it must be stripped.
type Forward struct {
	// Connector names whose access token the request needs.
	Connector string
	// Service is the service of the upstream that counts the request, "" if the policy
	// does not say.
	Service string
	// Path is the canonical path and query.
	Path string
	// Headers are set, replacing what the client sent under these names.
	Headers []Header
}

// Backward is what becomes of the head of the upstream's response: its status
// stays, and of its header fields those that are not in Remove.
type Backward struct {
	// Set are header fields that replace the upstream's under these names.
	Set []Header
	// Remove are the names, in lower case, of the fields that do not leave.
	Remove []string
}

// ResponseHead is what the upstream answered, before its body.
type ResponseHead struct {
	Status  int
	Headers []Header
	// End says that no body follows.
	End bool
	// Again and After say, with status 401, what the token source makes of it.
	Again bool
	After time.Duration
}

// phase is where an exchange stands. The zero phase has seen no request, and
// refuses everything but one.
type phase uint8

const (
	phaseStart   phase = iota
	phaseAllowed       // the request may go upstream
	phaseBody          // the response head is accepted, its body is being sanitized
	phaseEnded         // the response is complete
	phaseRefused       // nothing more leaves
)

// Exchange is one request and its response. Its methods are called in order:
// Request, Response, Body for each chunk and as long as the exchange is Pending,
// End, and Close in any case. A call out of order refuses. It is not safe for
// concurrent use.
type Exchange struct {
	gateway  *Gateway
	snapshot *policy.Snapshot
	keys     *keys
	phase    phase
	decision policy.Decision
	origin   string
	binding  pseudonym.Binding
	plan     *plan.Plan         // of the response body, nil if it has none
	text     *numberText        // checks a body of text before it is rewritten, nil for JSON
	rewriter *sanitize.Rewriter // with plan
	repeats  *repeats           // with rewriter
	inflater *inflate.Inflater  // of the body as it comes, nil if it comes plain
	pending  bool               // inflater has more of the last chunk
	held     byte               // the last that left the rewriter, if holds
	holds    bool
	record   Record
}

// NewExchange pins the policy and the keys in force.
func (g *Gateway) NewExchange() *Exchange {
	x := &Exchange{gateway: g, snapshot: g.policy(), keys: g.keys.Load()}
	x.record.Start = time.Now()
	if x.snapshot != nil {
		x.record.Revision, x.record.Bundles = x.snapshot.Revision(), x.snapshot.Bundles()
	}
	return x
}

// Request decides the request.
func (x *Exchange) Request(ctx context.Context, head RequestHead) (Forward, *Refusal) {
	if x.phase != phaseStart {
		return Forward{}, x.refuse(&Refusal{Code: "internal"})
	}
	x.record.Method = methodOf(head.Method)
	if x.snapshot == nil {
		return Forward{}, x.refuse(&Refusal{Code: "policy_not_loaded"})
	}
	if x.gateway.claims && head.Caller.JWT == nil {
		return Forward{}, x.refuse(&Refusal{Code: "caller_not_verified"})
	}
	if head.HasBody {
		return Forward{}, x.refuse(&Refusal{Code: "body_not_allowed"})
	}
	target, err := odata.ParseTarget(head.Target)
	if err != nil {
		return Forward{}, x.refuse(&Refusal{Code: targetCode(err)})
	}
	route, denial := x.snapshot.Route(head.Method, target)
	if denial != nil {
		x.record.Connector, x.record.Endpoint = denial.Connector, denial.Endpoint
		return Forward{}, x.refuse(refusalOf(denial))
	}
	x.record.Connector, x.record.Endpoint = route.Connector, route.Endpoint

	path, ok := x.revealPath(route)
	if !ok {
		return Forward{}, x.refuse(&Refusal{Code: "id_not_revealed"})
	}
	x.origin = x.gateway.origin
	if x.origin == "" {
		x.origin = head.Scheme + "://" + head.Authority
	}
	x.binding = pseudonym.Binding{Connector: route.Connector, Endpoint: route.Endpoint, Caller: identityOf(head.Caller), Path: path}

	input := policy.Input{Method: head.Method, Target: target, Headers: headerMap(head.Headers), Caller: head.Caller, Reveal: x.reveal}
	link, refusal := x.openLink(target)
	if refusal != nil {
		return Forward{}, x.refuse(refusal)
	}
	if link != nil {
		input.Target.Options, input.Sealed = link.target.Options, true
	}
	x.decision = x.snapshot.Decide(ctx, route, input)
	if !x.decision.Allow {
		return Forward{}, x.refuse(&Refusal{Code: x.decision.Code, Reasons: x.decision.Reasons})
	}

	f := Forward{Connector: route.Connector, Service: route.Service, Path: path}
	switch {
	case link != nil:
		f.Path = link.raw
	case x.decision.Query != "":
		f.Path += "?" + x.decision.Query
	}
	accept := "application/json"
	if len(x.decision.Media) > 0 {
		accept = strings.Join(x.decision.Media, ", ")
	}
	f.Headers = append(f.Headers, Header{Name: "accept", Value: accept}, Header{Name: "user-agent", Value: x.gateway.agent})
	for _, h := range x.decision.Headers {
		f.Headers = append(f.Headers, Header{Name: h.Name, Value: h.Value})
	}
	x.phase = phaseAllowed
	return f, nil
}

// revealPath rebuilds the path for the upstream. Every token that cannot be
// revealed, for whatever reason, gives the same answer.
func (x *Exchange) revealPath(route policy.Route) (string, bool) {
	revealed := true
	path := route.AppendPath(nil, func(i int) string {
		p := route.Params[i]
		if !p.Reversible {
			return p.Value
		}
		value, ok := x.reveal(p.Value)
		revealed = revealed && ok
		return value
	})
	return string(path), revealed && path != nil
}

func (x *Exchange) reveal(token string) (string, bool) {
	value, ok := x.keys.codec.AppendReveal(nil, []byte(token))
	return string(value), ok && len(value) > 0
}

// Response decides the head of the upstream's response: whether the response is
// passed on, by which plan, and what becomes of its header fields.
func (x *Exchange) Response(head ResponseHead) (Backward, *Refusal) {
	if x.phase == phaseStart && head.Status >= 400 {
		// No request was seen, so this is Envoy's own answer to one that it refused
		// before the processor; 401 is for callers without a valid token (envoy.jwt).
		code := "request_refused"
		if head.Status == http.StatusUnauthorized {
			code = "caller_not_verified"
		}
		return Backward{}, x.refuse(&Refusal{Code: code, Status: head.Status})
	}
	if x.phase != phaseAllowed {
		return Backward{}, x.refuse(&Refusal{Code: "internal"})
	}
	x.record.UpstreamStatus = head.Status
	coding := codingOf(head.Headers)
	body, refusal := x.planFor(head, coding)
	if body != nil && body == x.decision.Plan && len(x.decision.Media) > 0 {
		x.text = &numberText{}
	}
	if refusal != nil {
		refusal.RetryAfter = max(refusal.RetryAfter, retryAfterOf(head.Headers))
		return Backward{}, x.refuse(refusal)
	}
	x.record.Status = head.Status
	x.phase = phaseEnded
	if body != nil {
		x.phase, x.plan = phaseBody, body
		x.rewriter = x.gateway.pool.Get().(*sanitize.Rewriter)
		x.repeats = x.gateway.repeats.Get().(*repeats)
		x.rewriter.Reset(body, tokens{x})
		if coding == codingGzip {
			x.inflater = x.gateway.inflaters.Get().(*inflate.Inflater)
			x.inflater.Start()
		}
	}
	return x.backward(head), nil
}

// backward decides the header fields. Location leads past the sidecar; only that of
// 410, with which a service asks a client to begin a delta anew (graph-facts,
// section 4), is replaced by a sealed link, where it leads to an endpoint. What
// leaves has no coding, whatever the policy lists.
func (x *Exchange) backward(head ResponseHead) Backward {
	var b Backward
	locations := 0
	for _, h := range head.Headers {
		switch {
		case strings.HasPrefix(h.Name, ":") || envoysOwn[h.Name]:
		case h.Name == "location":
			locations++
			if head.Status != http.StatusGone {
				break
			}
			if link, ok := x.appendLink(nil, []byte(h.Value)); ok {
				b.Set = append(b.Set, Header{Name: h.Name, Value: string(link)})
			}
		case h.Name == "content-encoding" || !x.snapshot.AllowsResponseHeader(h.Name):
			b.Remove = append(b.Remove, h.Name)
		}
	}
	if locations > 0 && (locations > 1 || len(b.Set) == 0) {
		b.Set, b.Remove = nil, append(b.Remove, "location")
	}
	return b
}

// planFor chooses the plan of the body. A nil plan without refusal is a
// response that has no body.
func (x *Exchange) planFor(head ResponseHead, c coding) (*plan.Plan, *Refusal) {
	mediaType := ""
	for _, h := range head.Headers {
		if h.Name == "content-type" {
			mediaType += h.Value // two of them are none
		}
	}
	switch {
	case head.Status == 204 || head.Status == 304:
		if !head.End {
			return nil, &Refusal{Code: "response_malformed"}
		}
		return nil, nil
	case head.Status < 200 || head.Status >= 300 && head.Status < 400:
		return nil, &Refusal{Code: "response_redirect"}
	case head.Status == http.StatusUnauthorized && head.Again:
		return nil, &Refusal{Code: "upstream_token_rejected", RetryAfter: head.After}
	case head.Status == http.StatusUnauthorized:
		return nil, &Refusal{Code: "upstream_unauthorized", RetryAfter: head.After}
	case c == codingOther:
		return nil, &Refusal{Code: "response_encoding_not_allowed"}
	case head.Status >= 400 && (head.End || !isJSON(mediaType)):
		return nil, &Refusal{Code: "upstream_error", Status: head.Status}
	case head.Status >= 400:
		return x.decision.ErrorPlan, nil
	case head.End && x.decision.Plan != nil && x.decision.Plan.Psoxy:
		return nil, nil // no JSON text at all, which Psoxy passes on too
	case head.End:
		return nil, &Refusal{Code: "upstream_truncated"}
	case len(x.decision.Media) > 0:
		if !isMedia(mediaType, x.decision.Media...) {
			return nil, &Refusal{Code: "response_media_not_allowed"}
		}
	case !isJSON(mediaType):
		return nil, &Refusal{Code: "response_not_json"}
	}
	return x.decision.Plan, nil
}

// Refuse ends the exchange from outside: the token is missing, the stream broke.
func (x *Exchange) Refuse(r *Refusal) *Refusal { return x.refuse(r) }

// Close releases what the exchange holds and returns its record. The exchange
// must not be used afterwards.
func (x *Exchange) Close() Record {
	if x.rewriter != nil {
		x.record.Fields = fieldsOf(x.plan, x.rewriter.Counts())
		x.rewriter.Reset(nil, nil)
		x.gateway.pool.Put(x.rewriter)
		x.repeats.empty()
		x.gateway.repeats.Put(x.repeats)
		x.rewriter, x.repeats = nil, nil
	}
	if x.inflater != nil {
		x.inflater.Close()
		x.gateway.inflaters.Put(x.inflater)
		x.inflater = nil
	}
	x.record.Duration = time.Since(x.record.Start)
	switch {
	case x.phase == phaseEnded:
		x.record.Outcome = OutcomeSanitized
	case x.record.Outcome == "":
		x.record.Outcome = OutcomeAborted
	}
	x.phase = phaseRefused
	return x.record
}

// Code returns the code of the refusal that ended the exchange, or "".
func (x *Exchange) Code() string { return x.record.Code }

func (x *Exchange) refuse(r *Refusal) *Refusal {
	if x.record.Code == "" { // the first cause counts
		x.record.Outcome = OutcomeRefused
		if x.phase == phaseStart || x.phase == phaseAllowed && x.record.UpstreamStatus == 0 {
			x.record.Outcome = OutcomeDenied
		}
		x.record.Code, x.record.Reasons, x.record.Status = r.Code, r.Reasons, r.status()
	}
	x.phase = phaseRefused
	return r
}

// methodOf is a method as a record may have it: the client can send any word.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "other"
}

// targetCode is the code of a target that could not be read.
func targetCode(err error) string {
	var at *odata.Error
	if !errors.As(err, &at) {
		return "target_malformed"
	}
	return at.Code
}

// refusalOf names paths of the policy, as it has them, and nothing of the request.
func refusalOf(d *policy.Denial) *Refusal {
	r := &Refusal{Code: d.Code, Message: d.Message, Reasons: d.Reasons}
	if len(d.Near) > 0 {
		var paths []string
		for _, e := range d.Near {
			paths = append(paths, e.Path)
		}
		r.Message = r.message() + " Near it are: " + strings.Join(paths, ", ") + "."
	}
	return r
}
