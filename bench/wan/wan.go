// Package wan measures what it brings to ask Graph for gzip, and have the processor inflate it: two sidecars that differ in
// envoy.upstream.compression alone, before the same pages of a synthetic Graph, at the end of lines as they lead to a cloud.
//
// Call [Run]. The sidecars are `graphveil run` with a real Envoy; the load, the line and Graph are in this process.
package wan

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/graphveil/graphveil/bench/load"
	"github.com/graphveil/graphveil/bench/result"
	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// Group is the group of the figures. Their cases are LINE/SIZE/latency, the median with one request in flight; LINE/SIZE/max, requests a
// second with 16; LINE/SIZE/cpu, what the processor took for each of those; and LINE/SIZE/bytes, what Graph sends for one. Subjects are
// "gzip" and "plain".
const Group = "wan"

// Options say what to measure and for how long.
type Options struct {
	// Binary is the file of the graphveil to measure.
	Binary string
	// Rounds is how often everything is measured. At least 1.
	Rounds int
	// Duration is how long one subject of one case is loaded in a round.
	Duration time.Duration
	// Quick measures one line and one page.
	Quick bool
	// Only keeps the cases whose group/case, such as wan/50Mbps/400KB, begins with one of these. Empty: all.
	Only []string
	// Progress, if set, is told what runs next, and how long the rest takes, about.
	Progress func(what string, left time.Duration)
}

// lines are those between the sidecar and Graph: a branch office, a data centre, and none at all.
var lines = []struct {
	name  string
	delay time.Duration
	rate  float64
}{
	{"50Mbps-20ms", 10 * time.Millisecond, 50e6 / 8},
	{"200Mbps-20ms", 10 * time.Millisecond, 200e6 / 8},
	{"loopback", 0, 0},
}

var subjects = []string{"gzip", "plain"}

// setting is what a subject has in its configuration.
var setting = map[string]string{"gzip": "gzip", "plain": "none"}

const (
	warmUp   = 200 * time.Millisecond
	inFlight = 16
)

// Run measures. It ends with the first error, or with ctx; all processes have ended then.
func Run(ctx context.Context, o Options) (_ []result.Figure, err error) {
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return nil, fmt.Errorf("preparing to measure compression: %w", err)
	}
	s, err := newSite(ctx, binary)
	if err != nil {
		return nil, fmt.Errorf("preparing to measure compression: %w", err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var cases []situation
	for i := range lines {
		for _, p := range s.upstream.pages {
			c := situation{i, p}
			if result.Wanted(o.Only, Group+"/"+c.name()) && (!o.Quick || len(cases) == 0) {
				cases = append(cases, c)
			}
		}
	}
	left := time.Duration(o.Rounds*len(cases)*2*len(subjects)) * (o.Duration + warmUp)
	var all []result.Figure
	for _, c := range cases {
		t := &result.Table{Command: "go run ./bench/harness -only " + Group + "/" + c.name()}
		l := lines[c.line]
		s.line.set(l.delay, l.rate)
		for round := range o.Rounds {
			for i := range subjects {
				subject := subjects[(i+round)%len(subjects)]
				if o.Progress != nil {
					o.Progress(fmt.Sprintf("%s, round %d of %d: %s", c.name(), round+1, o.Rounds, subject), left)
				}
				one, _, err := s.load(ctx, subject, c.page, 1, o.Duration)
				if err != nil {
					return nil, fmt.Errorf("measuring %s: %w", c.name(), err)
				}
				t.Add(Group, c.name()+"/latency", subject, "ms", result.Lower, float64(one.Latency.ValueAtPercentile(50))/1e6)
				many, took, err := s.load(ctx, subject, c.page, inFlight, o.Duration)
				if err != nil {
					return nil, fmt.Errorf("measuring %s: %w", c.name(), err)
				}
				t.Add(Group, c.name()+"/max", subject, "req/s", result.Higher, many.Throughput())
				t.Add(Group, c.name()+"/cpu", subject, "µs/request", result.Lower, float64(took.Microseconds())/float64(many.Requests()))
				t.Add(Group, c.name()+"/bytes", subject, "KB", result.Lower, float64(c.page.bytes[subject])/1e3)
				left -= 2 * (o.Duration + warmUp)
			}
		}
		all = append(all, t.Figures...)
	}
	return all, nil
}

// situation is a page at the end of a line.
type situation struct {
	line int
	page *page
}

func (c situation) name() string { return lines[c.line].name + "/" + c.page.size }

// site is all that is needed.
type site struct {
	folder   string
	codec    *pseudonym.Codec
	tenant   *tenant.Tenant // for tokens; Graph is the upstream
	upstream *upstream
	line     *line
	sidecars map[string]*sidecar
}

func newSite(ctx context.Context, binary string) (_ *site, err error) {
	s := &site{sidecars: map[string]*sidecar{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.codec, err = pseudonym.New(pseudonym.Config{Salt: salt, Key: key}); err != nil {
		return nil, err
	}
	if s.folder, err = os.MkdirTemp("", "gvw-"); err != nil { // short, for socket paths
		return nil, err
	}
	app := entra.App{ClientID: clientID, Roles: []string{"Mail.Read"}}
	if s.tenant, err = tenant.Start(ctx, tenant.Config{Graph: graph.Config{Users: 1}, Apps: []entra.App{app}}); err != nil {
		return nil, err
	}
	own, err := s.tenant.CA.Issue("localhost", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	_, _, err = tenant.WritePair(s.folder, "sidecar", own)
	err = errors.Join(err,
		s.tenant.CA.Write(filepath.Join(s.folder, "ca.pem")),
		s.tenant.WriteAssertion(filepath.Join(s.folder, "assertion"), 24*time.Hour),
		os.WriteFile(filepath.Join(s.folder, "salt"), []byte(salt), 0o600),
		os.WriteFile(filepath.Join(s.folder, "key"), []byte(key), 0o600))
	if err != nil {
		return nil, err
	}
	certificate, err := s.tenant.CA.Issue(envoy.DefaultHost)
	if err != nil {
		return nil, err
	}
	if s.upstream, err = newUpstream(certificate); err != nil {
		return nil, err
	}
	if s.line, err = newLine(s.upstream.address); err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		if s.sidecars[subject], err = startSidecar(ctx, binary, s.folder, s.tenant, s.line.listener.Addr().String(), setting[subject]); err != nil {
			return nil, err
		}
	}
	return s, s.check()
}

// check holds the answers of the two sidecars against each other.
func (s *site) check() error {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.tenant.CA.Pool()}, DisableCompression: true}}
	defer client.CloseIdleConnections()
	for _, p := range s.upstream.pages {
		targets := s.targets(p)
		for _, subject := range subjects {
			if err := s.sidecars[subject].check(client, targets); err != nil {
				return err
			}
		}
		for _, target := range targets {
			a, b := s.sidecars[subjects[0]], s.sidecars[subjects[1]]
			if a.lengths[a.url+target] != b.lengths[b.url+target] {
				return fmt.Errorf("%d bytes and %d bytes of the same page", a.lengths[a.url+target], b.lengths[b.url+target])
			}
		}
	}
	return nil
}

// targets are the requests for a page, as clients send them.
func (s *site) targets(p *page) (targets []string) {
	for _, id := range p.users {
		token := s.codec.AppendReversible(nil, []byte(id))
		targets = append(targets, fmt.Sprintf("/v1.0/users/%s/mailFolders/SentItems/messages?$top=%d", token, records[p.size]))
	}
	return targets
}

// load loads a subject and returns what its processor took.
func (s *site) load(ctx context.Context, subject string, p *page, workers int, d time.Duration) (*load.Report, time.Duration, error) {
	target := s.sidecars[subject]
	var before time.Duration
	var beforeErr error
	c := load.Config{
		HTTP2: true, Roots: s.tenant.CA.Pool(), Workers: workers, Connections: workers, WarmUp: warmUp, Duration: d,
		Accept: func(url string, bytes int64) bool { return target.lengths[url] == bytes },
		Began:  func() { before, beforeErr = target.cpuTime() },
	}
	for _, t := range s.targets(p) {
		c.URLs = append(c.URLs, target.url+t)
	}
	report, err := load.Max(ctx, c)
	after, afterErr := target.cpuTime()
	if err = errors.Join(err, beforeErr, afterErr); err != nil {
		return nil, 0, err
	}
	if report.Failed() > 0 || report.Requests() == 0 {
		return nil, 0, fmt.Errorf("%d of %d requests failed, the first with: %s", report.Failed(), report.Requests(), report.FirstFailure)
	}
	return report, after - before, nil
}

// close ends what was started, and removes its files.
func (s *site) close() error {
	var err error
	for _, c := range s.sidecars {
		if c != nil {
			err = errors.Join(err, c.stop())
		}
	}
	if s.line != nil {
		s.line.close()
	}
	if s.upstream != nil {
		err = errors.Join(err, s.upstream.Close())
	}
	if s.tenant != nil {
		s.tenant.Close()
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}
