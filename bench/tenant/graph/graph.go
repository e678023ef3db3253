// Package graph is a synthetic Microsoft Graph: an http.Handler that answers the endpoints of users, groups, mail, calendars, Teams,
// OneDrive and Copilot for a tenant that exists only as a seed. The table in route.go has them all.
//
// Call New with a Config, then serve the Server over TLS (package tenant does). Record i of any collection is computed from the seed
// and i, so a tenant of any size costs no memory, and the same seed always gives the same bytes. Tests ask a Server for the ids it will
// use (UserID, MessageID, ...), make it misbehave (Inject, SetFault) and read back what it received (Requests).
//
// It does not write: every method but GET is refused. It does not serve $search, $batch, attachments or content.
package graph

import (
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config sizes a tenant and says whom it trusts. Authorize is required; zero counts mean the defaults given at each field.
type Config struct {
	// Seed decides every value of the tenant.
	Seed uint64
	// Users is the number of users; 0 means 250, so that the first page of /users has a next one.
	Users int
	// Messages is the number of messages in each user's Sent Items folder; 0 means 120. The Inbox has twice as many, and the drafts,
	// deleted, archived and junk messages are together as many again: four times Messages in a mailbox. Events, messages in chats and
	// channels, items of drives and questions to Copilot grow with it too, as the files that serve them say.
	Messages int
	// Groups is the number of groups; 0 means 25. Group 0 has every user as a member, the others between 3 and 62. Three of four are
	// teams.
	Groups int

	// TenantID is the directory id that appears in values and headers; empty means one made from the seed.
	TenantID string
	// Domain is the mail domain of the tenant; empty means "contoso.example".
	Domain string
	// BaseURL is the origin of every absolute link, such as "https://graph.microsoft.com"; empty means https and the Host asked for.
	BaseURL string

	// Canary, letters and digits only, is contained in every legible value that names, locates to the door, or was written by one person
	// (names, mailbox part of addresses, phones, employee ids, profile and message texts, links), never in a mail domain.
	// Values without room for a word (GUIDs, SIDs, Outlook ids) are listed by Canaries. Empty means no mark.
	Canary string
	// OrgCanary, likewise, is contained in legible values that many people share: department, company, city, job title, ...
	OrgCanary string

	// Record is the number of latest requests that Requests returns; 0 keeps none.
	Record int

	// Authorize judges the bearer token of a request and returns its application roles. Any error is a 401, a [ChallengeError]
	// one with a claims challenge.
	Authorize func(bearer string) (roles []string, err error)
}

// Server is the synthetic Graph. It is safe for concurrent use.
type Server struct {
	cfg    Config
	keys   keys
	faults faults
	log    requestLog
	served atomic.Uint64

	buffers, compressors sync.Pool

	ordersMu sync.Mutex
	orders   map[string][]int32
}

// newest is the time of the newest message; nothing in the tenant is later. It is fixed so that answers are reproducible.
var newest = time.Date(2026, time.August, 3, 16, 42, 11, 0, time.UTC)

// New returns the Graph of the tenant that cfg describes. It fails when Authorize is missing, a count is negative, or a canary could
// not be part of a mail address.
func New(cfg Config) (*Server, error) {
	if cfg.Authorize == nil {
		return nil, errors.New("configuring graph: Authorize is missing")
	}
	for _, n := range []struct {
		name     string
		value    *int
		standard int
	}{{"Users", &cfg.Users, 250}, {"Messages", &cfg.Messages, 120}, {"Groups", &cfg.Groups, 25}} {
		if *n.value < 0 || *n.value > 1<<30 {
			return nil, fmt.Errorf("configuring graph: %s is out of range", n.name)
		}
		if *n.value == 0 {
			*n.value = n.standard
		}
	}
	for _, word := range []string{cfg.Canary, cfg.OrgCanary} {
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			return nil, errors.New("configuring graph: a canary may have letters and digits only")
		}
	}
	s := &Server{cfg: cfg, keys: newKeys(cfg.Seed), orders: map[string][]int32{}}
	if s.cfg.Domain == "" {
		s.cfg.Domain = "contoso.example"
	}
	if s.cfg.TenantID == "" {
		s.cfg.TenantID = string(s.keys.guid(kindTenant, 0))
	}
	s.log.limit = cfg.Record
	s.buffers.New = func() any { return new(make([]byte, 0, flushSize+8<<10)) }
	s.compressors.New = func() any { return gzip.NewWriter(nil) }
	return s, nil
}

// TenantID returns the directory id that the data names.
func (s *Server) TenantID() string { return s.cfg.TenantID }

// ServeHTTP answers one request: faults that replace the answer first, then the token, the target, the role, and the data.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.log.add(r)
	f := s.faults.pick(r)
	if f == nil {
		f = &Fault{}
	}
	a := newAnswer(s, w, r, f)
	a.wait(f.Hold)
	if f.Status != 0 || f.Body != nil {
		a.replace()
	} else if p := s.serve(a, r); p != nil {
		a.problem(p)
	}
	a.finish()
}

func (s *Server) serve(a *answer, r *http.Request) *problem {
	roles, p := s.authorize(r)
	if p != nil {
		return p
	}
	t, p := s.route(r)
	if p != nil {
		return p
	}
	t.roles = roles
	if r.Method != http.MethodGet {
		return &problem{status: http.StatusMethodNotAllowed, code: "Request_BadRequest",
			message: "Specified HTTP method is not allowed for the request target."}
	}
	if !holds(roles, t.opens...) {
		return t.service.denied()
	}
	q, p := parseQuery(r, t)
	if p != nil {
		return p
	}
	return t.serve(s, a, t, q)
}
