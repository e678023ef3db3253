package connectors_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/policy"
)

// TestProbes sends the probe of every endpoint, with each set of options, to the
// synthetic Graph with the ids of its tenant: with a token that holds exactly the
// permissions of the endpoint it answers 2xx, and without any one of them it refuses
// or leaves out what the endpoint is for.
func TestProbes(t *testing.T) {
	g := openGraph(t)
	ids := g.ids()
	now := time.Now()
	probed := map[string]bool{}
	for _, options := range optionSets(t) {
		settings := map[string]string{}
		for name, value := range options {
			settings[name] = value.(string)
		}
		s, err := policy.Load(t.Context(), policy.Config{Settings: settings})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Endpoints() {
			values := map[string]string{}
			for _, name := range e.ProbeParams() {
				values[name] = ids[name]
			}
			p, err := e.Probe(values, now)
			if err != nil {
				t.Errorf("%v: %v", options, err)
				continue
			}
			if key := e.Connector + "." + e.ID + strings.Join(e.Permissions, ","); probed[key] {
				continue
			} else {
				probed[key] = true
			}
			body, status := g.get(p, e.Permissions...)
			if status/100 != 2 {
				t.Errorf("%v: GET %s with %v: status %d", options, p.Target, e.Permissions, status)
				continue
			}
			if strings.Contains(p.Target, "$top=1") && items(body) > 1 {
				t.Errorf("GET %s gives %d items", p.Target, items(body))
			}
			for i, permission := range e.Permissions {
				left := slices.Delete(slices.Clone(e.Permissions), i, i+1)
				without, status := g.get(p, left...)
				if status != http.StatusForbidden && !(status == http.StatusOK && len(without) < len(body)) {
					t.Errorf("GET %s without %s: status %d and %d bytes instead of %d", p.Target, permission, status, len(without), len(body))
				}
			}
		}
	}
	if len(probed) < 60 {
		t.Errorf("%d endpoints were probed", len(probed))
	}
}

// TestProbesAreAllowed: what a probe asks for, the policy lets a client ask for too.
func TestProbesAreAllowed(t *testing.T) {
	g := openGraph(t)
	s, err := policy.Load(t.Context(), policy.Config{Settings: map[string]string{"ids": "clear", "endpoints": "all"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Endpoints() {
		if e.ID == "online_meetings" {
			continue // a client knows the address of a meeting by its token only
		}
		p, err := e.Probe(g.ids(), time.Now())
		if err != nil {
			t.Error(err)
			continue
		}
		if explained := s.Explain(t.Context(), "GET", p.Target, p.Headers, policy.Caller{}); !explained.Decision.Allow {
			t.Errorf("GET %s: %v", p.Target, explained.Decision.Reasons)
		}
	}
}

// synthetic is the synthetic Graph; the bearer token of a request is the list of its roles.
type synthetic struct {
	*graph.Server
	t      *testing.T
	url    string
	client *http.Client
}

func openGraph(t *testing.T) *synthetic {
	t.Helper()
	s, err := graph.New(graph.Config{Authorize: func(bearer string) ([]string, error) { return strings.Split(bearer, ","), nil }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &synthetic{s, t, server.URL, server.Client()}
}

// ids are values for the parameters of paths by name.
func (g *synthetic) ids() map[string]string {
	user := g.UserID(1)
	ids := map[string]string{
		"user": user, "group": g.GroupID(1), "team": g.TeamID(1), "channel": g.ChannelIDs(1)[0], "chat": g.ChatIDs(1)[0],
		"message": g.SentMessageID(1, 0), "event": g.EventID(1, 0), "calendar": g.CalendarID(1),
		"call": g.CallID(0), "record": g.CallRecordID(0), "meeting": g.OnlineMeetingID(1, 0),
		"drive": g.DriveID(1), "item": g.DriveItemID(1, 1),
	}
	reports, _ := g.get(policy.Probe{Target: "/v1.0/users/" + user + "/onlineMeetings/" + ids["meeting"] + "/attendanceReports"}, "OnlineMeetingArtifact.Read.All")
	var list struct{ Value []struct{ ID string } }
	if err := json.Unmarshal(reports, &list); err != nil || len(list.Value) == 0 {
		g.t.Fatalf("the meeting has no attendance report: %v", err)
	}
	ids["report"] = list.Value[0].ID
	return ids
}

func (g *synthetic) get(p policy.Probe, roles ...string) ([]byte, int) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, g.url+p.Target, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	for name, value := range p.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Authorization", "Bearer "+strings.Join(append(roles, "None"), ","))
	response, err := g.client.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return body, response.StatusCode
}

func items(body []byte) int {
	var list struct{ Value []any }
	if json.Unmarshal(body, &list) != nil {
		return 0
	}
	return len(list.Value)
}
