package micro

import (
	"bytes"
	"context"
	"fmt"
	"net/url"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/odata"
	"github.com/graphveil/graphveil/policy/plan"
)

// page is a response of the synthetic Graph with the request that a client asks
// it by, and the plan that the shipped policy has for it.
type page struct {
	name     string
	messages int // that each user has, on which the number of events and chat messages depends
	target   string
	body     []byte
	plan     *plan.Plan
}

// pages are what the issue names: mail (100 messages with HTML bodies), events,
// chat messages and users, each with every property that Graph sends unasked. Each
// is all that its tenant has, so no link leads from it to a next page: sealing one is
// no work of the sanitizer's, and has a figure of its own (see [pageLink]).
func (r *rig) pages(ctx context.Context) ([]page, error) {
	chat := r.graph.ChatIDs(0)[0]
	all := []page{
		{name: "mail", messages: 100, target: r.mail(100)},
		{name: "calendar", messages: 200, target: "/v1.0/users/" + r.person(0) + "/events?$top=100"},
		{name: "teams", messages: 168, target: "/v1.0/chats/" + url.PathEscape(string(r.codec.AppendTokenized(nil, []byte(chat)))) + "/messages?$top=50"},
		{name: "users", messages: 1, target: "/v1.0/users?$top=500"},
	}
	for i := range all {
		p := &all[i]
		g, err := newGraph(500, p.messages)
		if err != nil {
			return nil, fmt.Errorf("making the page %s: %w", p.name, err)
		}
		body, err := r.fetch(ctx, g, p.target)
		if err != nil {
			return nil, fmt.Errorf("making the page %s: %w", p.name, err)
		}
		p.body = withoutLoneSurrogates(body)
		if p.plan, err = r.planOf(ctx, p.target); err != nil {
			return nil, fmt.Errorf("making the page %s: %w", p.name, err)
		}
	}
	return all, nil
}

// withoutLoneSurrogates takes out the half characters that Graph leaves at the end
// of some previews: Graphveil reads them, jsontext refuses the body.
func withoutLoneSurrogates(body []byte) []byte {
	for _, half := range []string{`\ud83d"`, `\udc4d"`} {
		body = bytes.ReplaceAll(body, []byte(half), []byte(`"`))
	}
	return body
}

// planOf is the plan by which the response to a target is rewritten.
func (r *rig) planOf(ctx context.Context, target string) (*plan.Plan, error) {
	t, err := odata.ParseTarget(target)
	if err != nil {
		return nil, err
	}
	route, denial := r.snapshot.Route("GET", t)
	if denial != nil {
		return nil, fmt.Errorf("routing: %s", denial.Code)
	}
	d := r.snapshot.Decide(ctx, route, policy.Input{Method: "GET", Target: t, Reveal: r.reveal})
	if !d.Allow {
		return nil, fmt.Errorf("deciding: %v", d.Reasons)
	}
	return d.Plan, nil
}

func (r *rig) reveal(token string) (string, bool) {
	value, ok := r.codec.AppendReveal(nil, []byte(token))
	return string(value), ok
}
