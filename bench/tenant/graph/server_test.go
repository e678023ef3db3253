package graph

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

var everyRole = []string{"User.Read.All", "Group.Read.All", "GroupMember.Read.All", "Mail.Read", "MailboxSettings.Read", "Calendars.Read",
	"Team.ReadBasic.All", "Channel.ReadBasic.All", "ChannelMessage.Read.All", "Chat.ReadBasic.All", "Chat.Read.All",
	"CallRecords.Read.All", "Calls.Initiate.All", "OnlineMeetings.Read.All", "OnlineMeetingArtifact.Read.All", "AiEnterpriseInteraction.Read.All",
	"Files.Read.All"}

// site is a Graph on loopback with a client of one protocol.
type site struct {
	*Server
	t      *testing.T
	url    string
	client *http.Client
}

// open starts a Graph over TLS. Tokens are lists of roles, so that a test can hold any; "all" stands for everyRole.
func open(t *testing.T, cfg Config, proto string) *site {
	t.Helper()
	cfg.Record = 10
	cfg.Authorize = func(bearer string) ([]string, error) {
		switch bearer {
		case "all":
			return everyRole, nil
		case "expired":
			return nil, errors.New("expired")
		}
		return strings.Split(bearer, ","), nil
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(s)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	transport := srv.Client().Transport.(*http.Transport)
	transport.DisableCompression = true
	if proto == "h1" {
		transport.ForceAttemptHTTP2 = false
		transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(transport.CloseIdleConnections)
	return &site{Server: s, t: t, url: srv.URL, client: client}
}

// reply is a response read to its end, or to the error that ended it.
type reply struct {
	*http.Response
	body []byte
	err  error
}

// get asks with the token "all" unless header says otherwise; header is name, value, name, value, ...
func (s *site) get(target string, header ...string) reply {
	s.t.Helper()
	return s.do(http.MethodGet, target, header...)
}

func (s *site) do(method, target string, header ...string) reply {
	s.t.Helper()
	if !strings.HasPrefix(target, "https://") {
		target = s.url + target
	}
	req, err := http.NewRequest(method, target, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer all")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		return reply{Response: &http.Response{Header: http.Header{}}, err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res, body, err}
}

// object decodes an answer of status 200.
func (s *site) object(target string, header ...string) map[string]any {
	s.t.Helper()
	r := s.get(target, header...)
	if r.err != nil || r.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: status %d, error %v, body %s", target, r.StatusCode, r.err, r.body)
	}
	return decode(s.t, r.body)
}

func decode(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&v); err != nil || d.More() {
		t.Fatalf("decoding answer: %v\n%.2000s", err, body)
	}
	return v
}

func values(t *testing.T, page map[string]any) []map[string]any {
	t.Helper()
	list, ok := page["value"].([]any)
	if !ok {
		t.Fatalf("page has no value: %v", page)
	}
	var records []map[string]any
	for _, item := range list {
		records = append(records, item.(map[string]any))
	}
	return records
}

// crawl follows nextLinks to the end and returns the values of one property.
func (s *site) crawl(target, name string, header ...string) (seen []string, pages int) {
	s.t.Helper()
	for target != "" {
		page := s.object(target, header...)
		for _, record := range values(s.t, page) {
			seen = append(seen, record[name].(string))
		}
		target, _ = page["@odata.nextLink"].(string)
		pages++
	}
	return seen, pages
}

func distinct(list []string) int {
	return len(slices.Compact(slices.Sorted(slices.Values(list))))
}

func names(record map[string]any) []string {
	var list []string
	for name := range record {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func TestProtocols(t *testing.T) {
	for proto, want := range map[string]string{"h1": "HTTP/1.1", "h2": "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			s := open(t, Config{}, proto)
			r := s.get("/v1.0/users?$top=3", "client-request-id", "abc")
			if r.err != nil || r.StatusCode != 200 || r.Proto != want {
				t.Fatalf("status %d, protocol %s, error %v", r.StatusCode, r.Proto, r.err)
			}
			for name, want := range map[string]string{"Content-Type": jsonContent, "Odata-Version": "4.0", "Client-Request-Id": "abc"} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			for _, name := range []string{"Request-Id", "X-Ms-Ags-Diagnostic", "Date"} {
				if r.Header.Get(name) == "" {
					t.Errorf("no header %s", name)
				}
			}
			log := s.Requests()
			if len(log) != 1 || log[0].Path != "/v1.0/users" || log[0].RawQuery != "$top=3" || log[0].Proto != want ||
				log[0].Header.Get("Authorization") != "Bearer all" || log[0].Method != "GET" {
				t.Errorf("request log is %+v", log)
			}
		})
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	a, b, other := open(t, Config{Seed: 7}, "h2"), open(t, Config{Seed: 7}, "h2"), open(t, Config{Seed: 8}, "h2")
	user := "/v1.0/users/" + a.UserID(3)
	for _, target := range []string{"/v1.0/users", "/v1.0/groups", user + "/messages", user + "/mailboxSettings", user + "/events", user + "/calendars",
		"/v1.0/teams", "/v1.0/teams/" + a.TeamID(1) + "/allChannels", user + "/chats?$expand=members,lastMessagePreview", "/v1.0/chats/" + a.ChatIDs(3)[0] + "/messages",
		"/v1.0/teams/" + a.TeamID(1) + "/channels/" + a.ChannelIDs(1)[1] + "/messages/delta?$expand=replies", "/v1.0/communications/callRecords",
		"/v1.0/communications/callRecords/" + a.CallRecordID(7) + "?$expand=sessions($expand=segments),participants_v2", callLog("getPstnCalls"),
		user + "/drives", "/v1.0/drives/" + a.DriveID(3) + "/root/delta(token='')", "/v1.0/drives/" + a.DriveID(3) + "/activities?$expand=driveItem",
		"/beta/copilot/users/" + a.UserID(3) + "/interactionHistory/getAllEnterpriseInteractions()", "/v1.0/users/delta", "/v1.0/groups/delta"} {
		host := strings.NewReplacer(a.url, "", b.url, "")
		first, second := host.Replace(string(a.get(target).body)), host.Replace(string(b.get(target).body))
		if first != second || len(first) < 200 {
			t.Errorf("%s differs between two tenants of one seed, or is short:\n%.300s\n%.300s", target, first, second)
		}
	}
	if bytes.Equal(a.get("/v1.0/users").body, other.get("/v1.0/users").body) {
		t.Error("two seeds give the same users")
	}
}

func TestConfigIsChecked(t *testing.T) {
	allow := func(string) ([]string, error) { return nil, nil }
	for name, cfg := range map[string]Config{
		"no Authorize":    {},
		"negative users":  {Authorize: allow, Users: -1},
		"canary is a dot": {Authorize: allow, Canary: "a.b"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
