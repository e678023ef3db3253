package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/deploy/setup"
	"github.com/graphveil/graphveil/policy"
)

// world is a synthetic tenant that grants what the plan says, changed by the test, and the input of a check of it.
type world struct {
	t      *testing.T
	tenant *tenant.Tenant
	in     Input
	file   string // of the assertion
}

// newWorld grants each application what the plan says. adjust gets the roles by key of the application and may change them.
func newWorld(t *testing.T, connectors []string, adjust func(roles map[string][]string)) *world {
	t.Helper()
	s, err := policy.Load(t.Context(), policy.Config{Connectors: connectors})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]setup.Known{}
	for i, c := range s.Connectors() {
		known[c.Name] = setup.Known{ClientID: fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i)}
	}
	plan, err := setup.Derive(s, setup.Target{Known: known, GraphHost: "graph.microsoft.com"})
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string][]string{}
	for _, a := range plan.Applications {
		for _, permission := range a.Permissions {
			roles[a.Key] = append(roles[a.Key], permission.Value())
		}
	}
	if adjust != nil {
		adjust(roles)
	}
	w := &world{t: t, file: filepath.Join(t.TempDir(), "assertion")}
	config := tenant.Config{Graph: graph.Config{Seed: 3, Users: 5, Messages: 8, Groups: 4, Canary: "CANARY", OrgCanary: "ORGANIZATION", Record: 200}}
	tokens := auth.Config{SkipInstanceDiscovery: true, CAFile: filepath.Join(t.TempDir(), "ca.pem"),
		Credential: auth.Credential{File: &auth.File{Path: w.file}}, Connectors: map[string]auth.Connector{}}
	for _, a := range plan.Applications {
		config.Apps = append(config.Apps, entra.App{ClientID: a.ClientID, Roles: roles[a.Key]})
		for _, name := range a.Connectors {
			tokens.Connectors[name] = auth.Connector{ClientID: a.ClientID}
		}
	}
	if w.tenant, err = tenant.Start(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.tenant.Close)
	if err := w.tenant.CA.Write(tokens.CAFile); err != nil {
		t.Fatal(err)
	}
	if err := w.tenant.WriteAssertion(w.file, time.Hour); err != nil {
		t.Fatal(err)
	}
	tokens.Tenant, tokens.Authority = w.tenant.ID(), w.tenant.Authority()
	w.in = Input{Tokens: tokens, Policy: s, Plan: plan, Progress: func(string) {},
		Graph: Upstream{Host: "graph.microsoft.com", Address: w.tenant.GraphAddr, CAFile: tokens.CAFile}}
	return w
}

// run checks, and searches both forms of the report for what must not be in it.
func (w *world) run() *Report {
	w.t.Helper()
	r, err := Run(w.t.Context(), w.in)
	if err != nil {
		w.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WriteJSON(&out, r); err != nil {
		w.t.Fatal(err)
	}
	if err := WriteTable(&out, r); err != nil {
		w.t.Fatal(err)
	}
	assertion, err := os.ReadFile(w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	secrets := append([]string{"CANARY", "ORGANIZATION", "eyJ", string(assertion), w.tenant.Graph.UserID(0), "No application access policy"}, r.bearers()...)
	for _, request := range w.tenant.Graph.Requests() {
		for _, segment := range strings.Split(request.Path, "/") {
			if len(segment) > 30 && !strings.Contains(segment, "(") { // an id, not a name
				secrets = append(secrets, segment)
			}
		}
	}
	for _, secret := range secrets {
		if secret != "getAllEnterpriseInteractions" && strings.Contains(out.String(), secret) {
			w.t.Errorf("the report has %.40q", secret)
		}
	}
	return r
}

func (r *Report) bearers() []string {
	var all []string
	for _, c := range r.Connectors {
		if c.bearer != "" {
			all = append(all, c.bearer)
		}
	}
	return all
}

func (r *Report) connector(t *testing.T, name string) *Connector {
	t.Helper()
	for _, c := range r.Connectors {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no connector %s", name)
	return nil
}

func (c *Connector) endpoint(t *testing.T, id string) *Endpoint {
	t.Helper()
	for _, e := range c.Endpoints {
		if e.ID == id {
			return e
		}
	}
	t.Fatalf("no endpoint %s.%s", c.Name, id)
	return nil
}

// unasked are the endpoints of the shipped policy whose parameters no list gives.
var unasked = []string{
	"onedrive.item_activities", "outlook_calendar.calendar_events", "teams.attendance_report", "teams.attendance_reports", "teams.call",
}

func TestAllGranted(t *testing.T) {
	w := newWorld(t, nil, nil)
	r := w.run()
	if r.Outcome != OK || len(r.Connectors) != len(w.in.Tokens.Connectors) || len(r.Connectors) < 6 {
		t.Errorf("outcome %s, %d connectors", r.Outcome, len(r.Connectors))
	}
	var skipped []string
	asked := 0
	for _, c := range r.Connectors {
		if !c.Token.OK || c.Token.Tenant != "matches" || c.Token.Application != "matches" || !c.Roles.Readable {
			t.Errorf("%s: token %+v", c.Name, c.Token)
		}
		if len(c.Roles.Missing)+len(c.Roles.Excess)+len(c.Roles.Covered) > 0 || len(c.Roles.Needed) == 0 || !slices.Equal(c.Roles.Needed, c.Roles.Granted) {
			t.Errorf("%s: roles %+v", c.Name, c.Roles)
		}
		for _, e := range c.Endpoints {
			switch e.Status {
			case Works:
				asked++
			case NotProbed:
				skipped = append(skipped, c.Name+"."+e.ID)
			default:
				t.Errorf("%s.%s: %s %d %s", c.Name, e.ID, e.Status, e.HTTP, e.Code)
			}
		}
	}
	if !slices.Equal(skipped, unasked) || asked < 30 {
		t.Errorf("%d asked, not %v", asked, skipped)
	}
	for _, request := range w.tenant.Graph.Requests() {
		if request.Method != http.MethodGet {
			t.Errorf("a %s was sent", request.Method)
		}
	}
}

// A parameter that is given is asked for, and makes endpoints known that no list leads to.
func TestParamIsAskedFor(t *testing.T) {
	w := newWorld(t, []string{"teams", "entra_id"}, nil)
	user := w.tenant.Graph.UserID(3)
	w.in.Params = map[string]string{"user": user}
	r := w.run()
	if r.Outcome != OK || len(w.in.Params) != 1 {
		t.Errorf("outcome %s, params %v", r.Outcome, w.in.Params)
	}
	seen := 0
	for _, request := range w.tenant.Graph.Requests() {
		if strings.Contains(request.Path, user) {
			seen++
		}
	}
	if seen < 3 {
		t.Errorf("%d requests for the user", seen)
	}
	w.in.Params = map[string]string{"usr": "x"}
	if _, err := Run(t.Context(), w.in); err == nil || !strings.Contains(err.Error(), "user") {
		t.Errorf("a misspelt parameter: %v", err)
	}
	// An id of somebody who does not exist is not found, and that is no failure.
	w.in.Params = map[string]string{"user": "00000000-dead-4000-8000-000000000000"}
	if r := w.run(); r.Outcome != OK || r.connector(t, "entra_id").endpoint(t, "user").Status != NotFound {
		t.Errorf("outcome %s: %+v", r.Outcome, r.connector(t, "entra_id").endpoint(t, "user"))
	}
}

func TestOneMissing(t *testing.T) {
	w := newWorld(t, []string{"entra_id", "outlook_mail"}, func(roles map[string][]string) {
		roles["outlook_mail"] = slices.DeleteFunc(roles["outlook_mail"], func(role string) bool { return role == "Mail.ReadBasic.All" })
	})
	r := w.run()
	mail := r.connector(t, "outlook_mail")
	sent := mail.endpoint(t, "sent_messages")
	if r.Outcome != Missing || !slices.Equal(mail.Roles.Missing, []string{"Mail.ReadBasic.All"}) || len(r.connector(t, "entra_id").Roles.Missing) != 0 {
		t.Errorf("outcome %s, roles %+v", r.Outcome, mail.Roles)
	}
	if sent.Status != PermissionMissing || sent.HTTP != http.StatusForbidden || sent.Code != "ErrorAccessDenied" || sent.Hint == "" {
		t.Errorf("%+v", sent)
	}
	if e := mail.endpoint(t, "mailbox_settings"); e.Status != Works {
		t.Errorf("%+v", e)
	}
}

func TestExcess(t *testing.T) {
	w := newWorld(t, []string{"entra_id", "outlook_mail"}, func(roles map[string][]string) {
		roles["outlook_mail"] = append(roles["outlook_mail"], "Mail.ReadWrite", "Directory.Read.All")
	})
	r := w.run()
	if got := r.connector(t, "outlook_mail").Roles; r.Outcome != Excess || !slices.Equal(got.Excess, []string{"Directory.Read.All", "Mail.ReadWrite"}) || len(got.Missing) > 0 {
		t.Errorf("outcome %s, roles %+v", r.Outcome, got)
	}
}

func TestNoConsent(t *testing.T) {
	w := newWorld(t, []string{"entra_id", "outlook_mail"}, func(roles map[string][]string) { clear(roles) })
	r := w.run()
	mail := r.connector(t, "outlook_mail")
	if r.Outcome != Missing || !mail.Token.OK || len(mail.Roles.Granted) > 0 || !slices.Equal(mail.Roles.Missing, mail.Roles.Needed) {
		t.Errorf("outcome %s, %+v", r.Outcome, mail.Roles)
	}
	if e := r.connector(t, "entra_id").endpoint(t, "users"); e.Status != PermissionMissing || e.Code != "Authorization_RequestDenied" {
		t.Errorf("%+v", e)
	}
	// Nobody is known to ask for a mailbox of.
	if e := mail.endpoint(t, "sent_messages"); e.Status != NotProbed || !strings.Contains(e.Hint, "--param user=") {
		t.Errorf("%+v", e)
	}
	var out bytes.Buffer
	if err := WriteTable(&out, r); err != nil || !strings.Contains(out.String(), "nobody consented yet") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestWrongAssertion(t *testing.T) {
	w := newWorld(t, []string{"entra_id"}, nil)
	if err := w.tenant.Issuer.WriteProjectedToken(w.file, "system:serviceaccount:another:one", entra.Audience, time.Hour); err != nil {
		t.Fatal(err)
	}
	r := w.run()
	c := r.connector(t, "entra_id")
	if r.Outcome != Failed || c.Token.OK || c.Token.Code != auth.CodeRejected || c.Token.AADSTS == 0 || c.Token.Hint == "" {
		t.Errorf("outcome %s, token %+v", r.Outcome, c.Token)
	}
	if e := c.endpoint(t, "users"); e.Status != NotProbed {
		t.Errorf("asked without a token: %+v", e)
	}
	if n := len(w.tenant.Graph.Requests()); n != 0 {
		t.Errorf("%d requests to Graph", n)
	}
}

func TestThrottled(t *testing.T) {
	w := newWorld(t, []string{"entra_id"}, nil)
	w.tenant.Graph.Inject(graph.Throttled(-1, 7))
	r := w.run()
	if e := r.connector(t, "entra_id").endpoint(t, "users"); r.Outcome != Failed || e.Status != Throttled || e.RetryAfter != 7 || e.HTTP != http.StatusTooManyRequests {
		t.Errorf("outcome %s, %+v", r.Outcome, e)
	}
}

// What Graph answers when it fails, when it is somebody else, and when it is not there.
func TestGraphDown(t *testing.T) {
	w := newWorld(t, []string{"entra_id"}, nil)
	groups := func() *Endpoint { return w.run().connector(t, "entra_id").endpoint(t, "groups") } // the first that is asked
	for _, test := range []struct {
		fault  graph.Fault
		status Status
		code   string
	}{
		{graph.Fault{Times: -1, Status: http.StatusServiceUnavailable}, Unavailable, "ServiceUnavailable"},
		{graph.Fault{Times: -1, Status: http.StatusUnauthorized}, TokenRejected, "InvalidAuthenticationToken"},
		{graph.Fault{Times: -1, Status: http.StatusFound, Header: http.Header{"Location": {"https://elsewhere.example/"}}}, BadRequest, ""},
		{graph.Fault{Times: -1, Status: http.StatusForbidden, Body: graph.Text(`{"error":{"code":"CANARY <b>","message":"CANARY"}}`)}, Refused, ""},
		{graph.Fault{Times: -1, Status: http.StatusForbidden, Body: graph.Text(`{"error":{"code":"Authorization_IdentityNotFound","message":"CANARY"}}`)}, PermissionMissing, "Authorization_IdentityNotFound"},
	} {
		w.tenant.Graph.ClearFaults()
		w.tenant.Graph.Inject(test.fault)
		if e := groups(); e.Status != test.status || e.Code != test.code {
			t.Errorf("%d: %+v", test.fault.Status, e)
		}
	}
	w.tenant.Graph.ClearFaults()
	w.in.Graph.CAFile = ""
	if e := groups(); e.Status != Unavailable || e.Code != "tls" {
		t.Errorf("another authority: %+v", e)
	}
	w.in.Graph.CAFile = w.in.Tokens.CAFile
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.in.Graph.Address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	r := w.run()
	if e := r.connector(t, "entra_id").endpoint(t, "groups"); r.Outcome != Failed || e.Status != Unavailable || e.Code != "connection" || e.HTTP != 0 {
		t.Errorf("nobody listens: outcome %s, %+v", r.Outcome, e)
	}
	// Nobody waits for one after the other.
	silent := 0
	for _, e := range r.connector(t, "entra_id").Endpoints {
		if e.Status == Unavailable {
			silent++
		}
	}
	if silent != maxSilent {
		t.Errorf("%d endpoints were waited for", silent)
	}
}

// Without an application access policy Teams answers 403 to whoever has the permission.
func TestTeamsPolicyIsAbsent(t *testing.T) {
	w := newWorld(t, []string{"entra_id", "teams"}, nil)
	w.tenant.Graph.Inject(graph.Fault{Times: -1, Status: http.StatusForbidden,
		Match: func(r *http.Request) bool { return strings.Contains(strings.ToLower(r.URL.Path), "onlinemeetings") },
		Body: func(out io.Writer) error {
			return json.NewEncoder(out).Encode(map[string]any{"error": map[string]any{"code": "Forbidden", "message": "No application access policy found for this app CANARY on the user CANARY."}})
		}})
	r := w.run()
	if e := r.connector(t, "teams").endpoint(t, "online_meetings"); r.Outcome != Missing || e.Status != PolicyMissing || e.Code != "Forbidden" || !strings.Contains(e.Hint, "30 minutes") {
		t.Errorf("outcome %s, %+v", r.Outcome, e)
	}
}

// Exchange grants what the token does not say.
func TestMailboxesScopedByExchange(t *testing.T) {
	w := newWorld(t, []string{"entra_id", "outlook_mail"}, func(roles map[string][]string) {
		roles["outlook_mail"] = nil
	})
	behind, err := graph.New(graph.Config{Seed: 3, Users: 5, Messages: 8, TenantID: w.tenant.ID(), Authorize: func(bearer string) ([]string, error) {
		claims, err := w.tenant.Entra.Verify(bearer)
		return append(claims.Roles, "Mail.ReadBasic.All", "MailboxSettings.Read"), err
	}})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := w.tenant.CA.Issue("graph.microsoft.com")
	if err != nil {
		t.Fatal(err)
	}
	w.in.Graph.Address = serveTLS(t, behind, pair)
	r := w.run()
	if got := r.connector(t, "outlook_mail").Roles; r.Outcome != OK || !slices.Equal(got.Covered, []string{"Mail.ReadBasic.All", "MailboxSettings.Read"}) || len(got.Missing) > 0 {
		t.Errorf("outcome %s, %+v", r.Outcome, got)
	}
}

// Connectors that share an application need the roles of all, and each misses its own only.
func TestSharedApplication(t *testing.T) {
	w := newWorld(t, []string{"entra_id", "outlook_mail"}, func(roles map[string][]string) {
		roles["outlook_mail"] = append(roles["outlook_mail"], roles["entra_id"]...)
	})
	id := w.in.Tokens.Connectors["outlook_mail"].ClientID
	w.in.Tokens.Connectors["entra_id"] = auth.Connector{ClientID: id}
	plan, err := setup.Derive(w.in.Policy, setup.Target{Known: map[string]setup.Known{"entra_id": {ClientID: id}, "outlook_mail": {ClientID: id}}})
	if err != nil {
		t.Fatal(err)
	}
	w.in.Plan = plan
	if r := w.run(); r.Outcome != OK || len(r.connector(t, "entra_id").Roles.Needed) >= len(r.connector(t, "entra_id").Roles.Granted) {
		t.Errorf("outcome %s, %+v", r.Outcome, r.connector(t, "entra_id").Roles)
	}
}

func TestEndsWithItsContext(t *testing.T) {
	w := newWorld(t, []string{"entra_id"}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	r, err := Run(ctx, w.in)
	if err != nil || r.Outcome != Failed || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}
