package check

import (
	"crypto/tls"
	"encoding/base64"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestClaims(t *testing.T) {
	token := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	for _, test := range []struct {
		token, application string
		ok                 bool
		roles              []string
	}{
		{token(`{"appid":"a","roles":["B.Read","A.Read","B.Read"]}`), "a", true, []string{"A.Read", "B.Read"}},
		{token(`{"azp":"b"}`), "b", true, []string{}},
		{token(`{"appid":"a","roles":["A.Read","<b>x</b>","","a b"]}`), "a", true, []string{"A.Read"}},
		{token(`{"roles":["A.Read"]}`), "", false, nil},
		{token(`[]`), "", false, nil},
		{"opaque", "", false, nil},
		{"a.%%.c", "", false, nil},
	} {
		c, ok := readClaims(test.token)
		if ok != test.ok || c.application() != test.application || ok && !slices.Equal(c.roles(), test.roles) {
			t.Errorf("%s: %+v, %v", test.token, c, ok)
		}
	}
	if matches("A", "a") != "matches" || matches("a", "b") != "differs" || matches("", "b") != "unknown" {
		t.Error("ids are compared wrongly")
	}
}

// A token that roles cannot be read from leaves it to the endpoints to tell.
func TestOpaqueTokenHoldsAnything(t *testing.T) {
	c := &Connector{}
	if !c.holds("User.Read.All") {
		t.Error("a role of an opaque token is said to be missing")
	}
	c.Roles = Roles{Readable: true, Granted: []string{"Calendars.ReadBasic.All"}}
	if !c.holds("Calendars.ReadBasic") || c.holds("User.Read.All") {
		t.Error("a role goes by what Entra calls it")
	}
}

func TestListsThatGiveParameters(t *testing.T) {
	for _, test := range []struct {
		list, prefix string
		want         bool
	}{
		{"/v1/things", "/v1/things", true},
		{"/v1/places/{place}/things", "/v1/things", true},
		{"/v1/places/{place}/allThings", "/v1/places/{place}/things", true},
		{"/v1/places/{place}/boxes/things", "/v1/places/{place}/things", true},
		{"/v1/boxes/{box}/things", "/v1/places/{place}/things", false},
		{"/v1/things/{thing}", "/v1/things", false},
		{"/v1/people", "/v1/things", false},
	} {
		if got := sameKind(test.list, strings.Split(test.prefix, "/")); got != test.want {
			t.Errorf("%s for %s: %v", test.list, test.prefix, got)
		}
	}
}

// A list just before the parameter is preferred to one that only ends in the same word.
func TestNearestListIsTaken(t *testing.T) {
	near, far := &Endpoint{Path: "/v1/things"}, &Endpoint{Path: "/v1/places/{place}/things"}
	wanting := &Endpoint{Path: "/v1/things/{thing}"}
	p := prober{params: map[string]string{}, all: []*Endpoint{near, far, wanting}, open: []*Endpoint{wanting}}
	if got := p.namesFor(far); len(got) != 0 {
		t.Errorf("the far list gives %v", got)
	}
	if got := p.namesFor(near); !slices.Equal(got, []string{"thing"}) {
		t.Errorf("the near list gives %v", got)
	}
	near.Status = PermissionMissing
	if got := p.namesFor(far); !slices.Equal(got, []string{"thing"}) {
		t.Errorf("without the near list the far one gives %v", got)
	}
	p.params["thing"] = "1"
	if got := p.namesFor(far); len(got) != 0 {
		t.Errorf("given %v again", got)
	}
}

func TestOutcomeIsTheWorst(t *testing.T) {
	good := Token{OK: true, Tenant: "matches", Application: "unknown"}
	for _, test := range []struct {
		c    Connector
		want Outcome
	}{
		{Connector{Token: good}, OK},
		{Connector{Token: good, Endpoints: []*Endpoint{{Status: NotFound}, {Status: NotProbed}, {Status: Works}}}, OK},
		{Connector{Token: good, Roles: Roles{Excess: []string{"X"}}}, Excess},
		{Connector{Token: good, Roles: Roles{Excess: []string{"X"}, Missing: []string{"Y"}}}, Missing},
		{Connector{Token: good, Endpoints: []*Endpoint{{Status: PolicyMissing}}}, Missing},
		{Connector{Token: good, Endpoints: []*Endpoint{{Status: Refused}, {Status: TokenRejected}}}, Failed},
		{Connector{Token: Token{}}, Failed},
		{Connector{Token: Token{OK: true, Tenant: "differs"}}, Failed},
		{Connector{Token: Token{OK: true, Application: "differs"}}, Failed},
	} {
		r := Report{Connectors: []*Connector{{Token: good}, &test.c}}
		if got := r.sumUp(); got != test.want {
			t.Errorf("%+v: %s, want %s", test.c, got, test.want)
		}
	}
}

func serveTLS(t *testing.T, h http.Handler, pair tls.Certificate) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.ServeTLS(listener, "", "") }() // ends with the test
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}
