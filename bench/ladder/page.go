package ladder

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// page is one of the answers that are measured, for as many users as are asked for in turn.
type page struct {
	name  pageName
	asked []asked
	bytes int // of the answers before compression, on average
}

// pageName is as in the names of cases.
type pageName struct{ size, encoding string }

func (n pageName) String() string { return n.size + "/" + n.encoding }

// asked is one request and what Graph answers.
type asked struct {
	target string // as a client of Graphveil writes it, with the user's token
	body   []byte // before compression
	wire   []byte // as it is sent; nil where it is body
}

// document is one answer as the upstream knows it.
type document struct {
	Requests []string // in the form of [requestKey]
	File     string   // in the folder of the upstream
	Gzip     bool
	// Times is how often the bytes from From to To are sent, with commas between. Zero: the file is sent as it is.
	From, To, Times int
	// Ends are where the records end that the upstream sends one by one, each after Delay; what comes before the first is sent at once.
	Ends  []int
	Delay time.Duration
}

// requestKey is the same for all spellings of a request's query.
func requestKey(u *url.URL) string { return u.Path + "?" + u.Query().Encode() }

const (
	// users are asked for in turn, so that nobody measures one answer that is remembered.
	users = 8

	small  = "1KB"
	medium = "50KB"
	large  = "400KB"
	huge   = "50MB"
	giant  = "500MB"
	slow   = "slow"

	// giantTimes is how many times the records of the huge page make the giant one.
	giantTimes = 10

	slowDelay = 20 * time.Millisecond
)

var (
	smallPage = pageName{small, "plain"}
	hugePage  = pageName{huge, "plain"}
	giantPage = pageName{giant, "plain"} // sent in the parts of which it is made
	slowPage  = pageName{slow, "plain"}  // sent record by record
)

// selected are the properties of a user that make an answer of about 1 KB.
const selected = "id,displayName,givenName,surname,mail,userPrincipalName,proxyAddresses,otherMails,department,companyName,jobTitle," +
	"city,country,accountEnabled,userType,createdDateTime,assignedLicenses,employeeId"

// records are how many messages, with their bodies, make a page of a size.
var records = map[string]int{medium: 12, large: 95, huge: 11_700, slow: 1000}

// pages are what the upstream answers.
type pages struct {
	graph     *graph.Server
	codec     *pseudonym.Codec
	folder    string
	next      int // user
	documents []document
}

func newPages(folder string, codec *pseudonym.Codec) (*pages, error) {
	g, err := graph.New(graph.Config{
		Seed: 1, Messages: 20_000, BaseURL: "https://graph.microsoft.com",
		// Mail.Read: the bodies of messages are there, and are most of the bytes.
		Authorize: func(string) ([]string, error) { return []string{"User.Read.All", "Mail.Read"}, nil },
	})
	return &pages{graph: g, codec: codec, folder: folder}, err
}

// make makes a page.
func (p *pages) make(name pageName) (*page, error) {
	made := &page{name: name}
	switch name.size {
	case giant:
		return made, p.giant(made)
	case slow:
		return made, p.slow(made)
	}
	n := users
	if name.size == huge {
		n = 1
	}
	for range n {
		a, paths, err := p.answer(name.size)
		if err != nil {
			return nil, err
		}
		d := document{Requests: paths, Gzip: name.encoding == "gzip"}
		file := a.body
		if d.Gzip {
			if a.wire, err = compress(a.body); err != nil {
				return nil, err
			}
			file = a.wire
		}
		if err := p.write(&d, file); err != nil {
			return nil, err
		}
		made.asked = append(made.asked, a)
		made.bytes += len(a.body) / n
	}
	return made, nil
}

// giant is giantTimes the records of a huge page.
func (p *pages) giant(made *page) error {
	a, paths, err := p.answer(huge)
	if err != nil {
		return err
	}
	from, to, _, err := recordEnds(a.body)
	if err != nil {
		return err
	}
	made.asked, made.bytes = []asked{a}, len(a.body)+(giantTimes-1)*(to-from+1)
	return p.write(&document{Requests: paths, From: from, To: to, Times: giantTimes}, a.body)
}

// slow is a page of which the upstream sends a record now and then.
func (p *pages) slow(made *page) error {
	a, paths, err := p.answer(slow)
	if err != nil {
		return err
	}
	from, _, ends, err := recordEnds(a.body)
	if err != nil {
		return err
	}
	made.asked, made.bytes = []asked{a}, len(a.body)
	return p.write(&document{Requests: paths, Ends: append([]int{from}, ends...), Delay: slowDelay}, a.body)
}

// answer is one for the next user, with the requests that Graph gets for it.
func (p *pages) answer(size string) (a asked, paths []string, err error) {
	n := records[size]
	if size == small {
		a, paths = p.user()
	} else {
		a, paths = p.messages(min(n, 1000))
	}
	a.body, err = p.generate(paths[0], n)
	return a, paths, err
}

func (p *pages) user() (asked, []string) { return p.request("?$select=" + selected) }

func (p *pages) messages(top int) (asked, []string) {
	return p.request(fmt.Sprintf("/mailFolders/SentItems/messages?$top=%d", top))
}

// request is one about the next user: as Graphveil sends it, by id, and as its clients and the other subjects do, by token.
func (p *pages) request(rest string) (asked, []string) {
	id := p.graph.UserID(p.next)
	p.next++
	token := string(p.codec.AppendReversible(nil, []byte(id)))
	a := asked{target: "/v1.0/users/" + token + rest}
	return a, []string{"/v1.0/users/" + id + rest, a.target}
}

// generate lets the synthetic Graph answer, with n records where it is a page.
func (p *pages) generate(target string, n int) ([]byte, error) {
	if n > 0 {
		p.graph.Inject(graph.Fault{Records: n})
	}
	request := httptest.NewRequest(http.MethodGet, target, nil)
	request.Header.Set("Authorization", "Bearer anything")
	response := httptest.NewRecorder()
	p.graph.ServeHTTP(response, request)
	if response.Code != http.StatusOK {
		return nil, fmt.Errorf("making pages: the synthetic Graph answers with status %d", response.Code)
	}
	return response.Body.Bytes(), nil
}

// write keeps a document and its file.
func (p *pages) write(d *document, file []byte) error {
	for i, request := range d.Requests {
		u, err := url.Parse(request)
		if err != nil {
			return err
		}
		d.Requests[i] = requestKey(u)
	}
	d.File = fmt.Sprintf("page-%d", len(p.documents))
	p.documents = append(p.documents, *d)
	return os.WriteFile(filepath.Join(p.folder, d.File), file, 0o600)
}

func compress(body []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(body)
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

// recordEnds finds the records of a page: from where to where they lie, and where each ends, the comma after it included.
func recordEnds(body []byte) (from, to int, ends []int, err error) {
	const member = `"value":[`
	at := bytes.Index(body, []byte(member))
	if at < 0 {
		return 0, 0, nil, errors.New("making pages: a page without records")
	}
	from = at + len(member)
	d := json.NewDecoder(bytes.NewReader(body[at+len(member)-1:]))
	if _, err := d.Token(); err != nil {
		return 0, 0, nil, err
	}
	for d.More() {
		var record json.RawMessage
		if err := d.Decode(&record); err != nil {
			return 0, 0, nil, err
		}
		to = from - 1 + int(d.InputOffset())
		ends = append(ends, to+1)
	}
	return from, to, ends, nil
}

// addresses are all mail addresses in a page.
func addresses(body []byte) [][]byte {
	var found [][]byte
	seen := map[string]bool{}
	for part := range strings.SplitSeq(string(body), `"`) {
		part = strings.TrimPrefix(strings.TrimPrefix(part, "smtp:"), "SMTP:")
		if at := strings.IndexByte(part, '@'); at > 0 && at < len(part)-1 && !strings.ContainsAny(part, " <>\\/$#=") && !seen[part] {
			seen[part] = true
			found = append(found, []byte(part))
		}
	}
	return found
}
