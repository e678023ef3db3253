package micro

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/policy"
)

// Key material of the rig: made up, and long enough to be of the usual cost.
const (
	testSalt = "a salt that is only for benchmarks"
	testKey  = "a key that is only for benchmarks"
)

const upstreamHost = "graph.microsoft.com"

// rig is all of Graphveil but the server, with the shipped policy, beside a
// synthetic Graph.
type rig struct {
	snapshot *policy.Snapshot
	codec    *pseudonym.Codec
	links    *pseudonym.Links
	gateway  *extproc.Gateway
	graph    *graph.Server
}

func newRig(ctx context.Context) (*rig, error) {
	r := &rig{}
	var err error
	if r.snapshot, err = policy.Load(ctx, policy.Config{}); err != nil {
		return nil, err
	}
	if r.codec, err = pseudonym.New(pseudonym.Config{Salt: testSalt, Key: testKey}); err != nil {
		return nil, err
	}
	if r.links, err = pseudonym.NewLinks(pseudonym.DeriveLinkKey(testSalt, testKey)); err != nil {
		return nil, err
	}
	r.gateway, err = extproc.NewGateway(extproc.GatewayConfig{
		Policy: func() *policy.Snapshot { return r.snapshot }, Codec: r.codec, Links: r.links,
		Upstream: upstreamHost, Origin: "https://graphveil.example", UserAgent: "graphveil-bench",
	})
	if err != nil {
		return nil, err
	}
	r.graph, err = newGraph(2000, 400)
	return r, err
}

// newGraph is the synthetic Graph of a tenant. Users and chats have the same ids, however many there are.
func newGraph(users, messages int) (*graph.Server, error) {
	return graph.New(graph.Config{
		Seed: 5, Users: users, Messages: messages, BaseURL: "https://" + upstreamHost,
		Authorize: func(string) ([]string, error) { return everyRole, nil },
	})
}

// everyRole opens every endpoint of the synthetic Graph that is asked here; with
// Mail.Read, mail comes with bodies, which is the harder case.
var everyRole = []string{
	"User.Read.All", "Group.Read.All", "GroupMember.Read.All", "Mail.Read", "Calendars.Read", "MailboxSettings.Read",
	"Chat.Read.All", "ChannelMessage.Read.All", "Channel.ReadBasic.All", "Team.ReadBasic.All", "Files.Read.All",
}

// person is the token by which clients name user i.
func (r *rig) person(i int) string {
	return string(r.codec.AppendReversible(nil, []byte(r.graph.UserID(i))))
}

// mail is the target of a page of what user 0 has sent.
func (r *rig) mail(top int) string {
	return fmt.Sprintf("/v1.0/users/%s/mailFolders/SentItems/messages?$top=%d", r.person(0), top)
}

// ask opens an exchange for a client's target, and returns it with the target that
// goes upstream.
func (r *rig) ask(ctx context.Context, target string) (*extproc.Exchange, string, error) {
	x := r.gateway.NewExchange()
	forward, refusal := x.Request(ctx, extproc.RequestHead{
		Method: http.MethodGet, Target: target, Scheme: "https", Authority: "graphveil.example",
		Headers: []extproc.Header{{Name: "accept", Value: "application/json"}},
		Caller:  policy.Caller{SPIFFEID: "spiffe://example.org/reader"},
	})
	if refusal != nil {
		x.Close()
		path, _, _ := strings.Cut(target, "?")
		return nil, "", fmt.Errorf("asking for %s: %s %v", path, refusal.Code, refusal.Reasons)
	}
	return x, forward.Path, nil
}

// open opens an exchange and brings it to where a JSON body follows.
func (r *rig) open(ctx context.Context, target string) (*extproc.Exchange, error) {
	x, _, err := r.ask(ctx, target)
	if err != nil {
		return nil, err
	}
	if _, refusal := x.Response(jsonHead); refusal != nil {
		x.Close()
		return nil, fmt.Errorf("accepting the head of the response: %s", refusal.Code)
	}
	return x, nil
}

var jsonHead = extproc.ResponseHead{Status: http.StatusOK, Headers: []extproc.Header{
	{Name: "content-type", Value: "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"},
}}

// fetch asks a synthetic Graph what Graphveil would ask it.
func (r *rig) fetch(ctx context.Context, from *graph.Server, target string) ([]byte, error) {
	x, upstream, err := r.ask(ctx, target)
	if err != nil {
		return nil, err
	}
	x.Close()
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://"+upstreamHost+upstream, nil)
	request.Header.Set("Authorization", "Bearer bench")
	response := httptest.NewRecorder()
	from.ServeHTTP(response, request)
	if response.Code != http.StatusOK {
		return nil, fmt.Errorf("fetching a page: status %d: %s", response.Code, response.Body)
	}
	return response.Body.Bytes(), nil
}
