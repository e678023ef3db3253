package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/graphveil/graphveil/bench/tenant"
)

// TestPaging is a client that knows HTTP, JSON and "@odata.nextLink", and reads
// all users and all that each of them sent: every record comes once, and
// nothing comes that the policy drops or turns into a pseudonym.
func TestPaging(t *testing.T) {
	const users, messages = 2000, 25 // 50,000 messages
	l := newLab(t, func(c *tenant.Config) { c.Graph.Users, c.Graph.Messages, c.Graph.Record = users, messages, 0 })
	l.config.Log.Level = "warn" // a record for each of 12,000 exchanges is another test's matter
	r := l.start()
	secrets := l.words(users)
	index := map[string]int{}
	for i := range users {
		index[string(l.codec.AppendReversible(nil, []byte(l.Graph.UserID(i))))] = i
	}

	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			p := pager{t: t, client: l.client(protocol), origin: r.url(), secrets: secrets}
			ids := p.all("/v1.0/users")
			seen := map[int]bool{}
			for _, id := range ids {
				i, ok := index[id]
				if !ok || seen[i] {
					t.Fatalf("user %q is unknown or came twice", id)
				}
				seen[i] = true
			}
			if len(seen) != users {
				t.Fatalf("%d of %d users came", len(seen), users)
			}

			const workers = 8
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for k := w; k < len(ids) && !t.Failed(); k += workers {
						p.sent(l, ids[k], index[ids[k]], messages)
					}
				})
			}
			wg.Wait()
		})
	}
	if found := leaks(r.logs.String()+r.access.String(), l.canaries()); found != nil {
		t.Errorf("in the logs: %v", found)
	}
}

// sent reads what one user sent, in pages of the upstream's default size.
func (p *pager) sent(l *lab, id string, user, messages int) {
	got := p.all("/v1.0/users/" + id + "/mailFolders/SentItems/messages")
	want := make([]string, messages)
	for m := range want {
		want[m] = l.Graph.SentMessageID(user, m)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		p.t.Errorf("user %d sent %d messages, %d came, or others", user, messages, len(got))
	}
}

// words are all texts that identify a user and are one word, in lower case.
func (l *lab) words(users int) map[string]bool {
	words := map[string]bool{}
	for i := range users {
		for _, c := range l.Graph.Canaries(i) {
			if !strings.ContainsFunc(c, func(r rune) bool { return !wordRune(r) }) {
				words[strings.ToLower(c)] = true
			}
		}
	}
	return words
}

// wordRune says what addresses, ids and numbers are made of.
func wordRune(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80 || strings.ContainsRune("@._+-=", r)
}

// pager follows links. It may be used by several goroutines.
type pager struct {
	t       *testing.T
	client  *http.Client
	origin  string
	secrets map[string]bool
}

// all reads a list to its end and returns the ids in it.
func (p *pager) all(path string) (ids []string) {
	link := p.origin + path
	for link != "" {
		var page struct {
			Value []struct {
				ID string `json:"id"`
			} `json:"value"`
			Next string `json:"@odata.nextLink"`
		}
		if !p.get(link, &page) {
			return nil
		}
		for _, record := range page.Value {
			ids = append(ids, record.ID)
		}
		if page.Next != "" && !strings.HasPrefix(page.Next, p.origin+path+"?") {
			p.t.Errorf("a page of %s leads to %q", path, page.Next)
			return nil
		}
		link = page.Next
	}
	return ids
}

func (p *pager) get(link string, page any) bool {
	response, err := p.client.Get(link)
	if err != nil {
		p.t.Errorf("getting a page: %v", err)
		return false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Errorf("getting a page: status %d, %v, %.300s", response.StatusCode, err, body)
		return false
	}
	if err := json.Unmarshal(body, page); err != nil {
		p.t.Errorf("decoding a page: %v", err)
		return false
	}
	var head bytes.Buffer
	if err := response.Header.Write(&head); err != nil {
		p.t.Error(err)
	}
	return p.clean(head.String()) && p.clean(string(body))
}

// clean looks for marks and, word by word, for whatever identifies anybody.
func (p *pager) clean(text string) bool {
	if strings.Contains(text, personalMark) {
		p.t.Errorf("leaked: %v", leaks(text, []string{personalMark}))
		return false
	}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !wordRune(r) }) {
		if p.secrets[strings.ToLower(word)] {
			p.t.Errorf("leaked: %q", word)
			return false
		}
	}
	return true
}

// TestPageLinkElsewhere takes a link where it does not belong.
func TestPageLinkElsewhere(t *testing.T) {
	l := newLab(t, nil)
	l.config.Envoy.TLS.ClientCAFile = l.caFile
	r := l.start()
	reader, err := l.CA.Issue("spiffe://example.org/reader")
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.CA.Issue("spiffe://example.org/other")
	if err != nil {
		t.Fatal(err)
	}

	ask := func(target string, asReader bool) wireResponse {
		t.Helper()
		config := l.tls(other)
		if asReader {
			config = l.tls(reader)
		}
		l.Graph.ForgetRequests()
		return call(t, r.address, config, wireCall{protocol: "h2", target: target})
	}
	first := ask(l.sentPath(0)+"?$top=5", true)
	var page struct {
		Next string `json:"@odata.nextLink"`
	}
	if err := json.Unmarshal(first.body, &page); err != nil || page.Next == "" {
		t.Fatalf("the first page has no link: %v, %s %.300s", err, &first, first.body)
	}
	link, err := url.Parse(page.Next)
	if err != nil {
		t.Fatal(err)
	}
	if again := ask(link.RequestURI(), true); again.status != 200 {
		t.Fatalf("the link does not work where it belongs: %s", &again)
	}

	middle := len(link.RawQuery) / 2
	flipped := []byte(link.RawQuery)
	if flipped[middle]++; flipped[middle] == 'Z'+1 || flipped[middle] == 'z'+1 || flipped[middle] == '9'+1 {
		flipped[middle] -= 2
	}
	for _, test := range []struct {
		name, target string
		asReader     bool
		code         string
	}{
		{"another user", l.sentPath(1) + "?" + link.RawQuery, true, "link_not_valid"},
		{"another endpoint", "/v1.0/users?" + link.RawQuery, true, "link_not_valid"},
		{"another endpoint of the same user", l.userPath(0) + "?" + link.RawQuery, true, "link_not_valid"},
		{"another caller", link.RequestURI(), false, "link_not_valid"},
		{"a changed link", link.Path + "?" + string(flipped), true, "link_not_valid"},
		{"a shortened link", link.RequestURI()[:len(link.RequestURI())-4], true, "link_not_valid"},
		{"another option beside it", link.RequestURI() + "&$top=1000", true, "link_not_alone"},
		{"another option before it", link.Path + "?$select=id&" + link.RawQuery, true, "link_not_alone"},
		{"two links", link.RequestURI() + "&" + link.RawQuery, true, "target_ambiguous"},
		{"a link of the upstream", l.sentPath(0) + "?$skiptoken=RFNwdAIAAQAAAA", true, "query_not_allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			response := ask(test.target, test.asReader)
			if response.end != endComplete || response.status < 400 || response.code() != test.code {
				t.Errorf("got %s, want %s", &response, test.code)
			}
			if n := len(l.Graph.Requests()); n != 0 {
				t.Errorf("%d requests arrived upstream", n)
			}
		})
	}
}

// TestPageOrigin: links lead to where the client came from, or to the origin
// that the configuration names.
func TestPageOrigin(t *testing.T) {
	l := newLab(t, nil)
	r := l.start()
	for _, protocol := range protocols {
		field := [2]string{map[string]string{"h1": "host", "h2": ":authority"}[protocol], "graph.sidecar.example:9443"}
		response := call(t, r.address, l.tls(), wireCall{protocol: protocol, target: "/v1.0/users?$top=2", fields: [][2]string{field}})
		want := fmt.Sprintf(`"@odata.nextLink":"https://%s/v1.0/users?`, field[1])
		if !strings.Contains(string(response.body), want) {
			t.Errorf("%s: no %s in %.300s", protocol, want, response.body)
		}
	}
}
