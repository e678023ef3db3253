package ladder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/policy"
)

// site is what all subjects share: certificates, a token endpoint, the upstream with its pages.
type site struct {
	envoy, binary string // programs
	folder        string
	tenant        *tenant.Tenant
	caFile        string
	pair          envoy.TLS
	applications  map[string]string // client ids by connector
	upstream      *process
	address       string // of the upstream
	pages         []*page
	started       int // rungs, for the names of their files
}

const (
	salt = "salt of the benchmark"
	key  = "key of the benchmark"
)

func newSite(ctx context.Context, envoyBinary, binary string, names []pageName) (_ *site, err error) {
	s := &site{envoy: envoyBinary, binary: binary, applications: map[string]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	// Short, for socket paths.
	if s.folder, err = os.MkdirTemp("", "gvb-"); err != nil {
		return nil, err
	}
	if err := s.startTenant(ctx); err != nil {
		return nil, err
	}
	return s, s.startUpstream(names)
}

func (s *site) file(name string) string { return filepath.Join(s.folder, name) }

// startTenant starts a token endpoint that knows one application for each shipped connector.
func (s *site) startTenant(ctx context.Context) error {
	snapshot, err := policy.Load(ctx, policy.Config{})
	if err != nil {
		return err
	}
	// Graph is the upstream's part; the tenant's own is not used.
	config := tenant.Config{Graph: graph.Config{Users: 1}}
	for _, c := range snapshot.Connectors() {
		id := uuid.NewString()
		s.applications[c.Name] = id
		config.Apps = append(config.Apps, entra.App{ClientID: id, Roles: c.Permissions})
	}
	if s.tenant, err = tenant.Start(ctx, config); err != nil {
		return err
	}
	s.caFile = s.file("ca.pem")
	own, err := s.tenant.CA.Issue("localhost", "127.0.0.1")
	if err != nil {
		return err
	}
	s.pair.CertFile, s.pair.KeyFile, err = tenant.WritePair(s.folder, "sidecar", own)
	return errors.Join(err,
		s.tenant.CA.Write(s.caFile),
		s.tenant.WriteAssertion(s.file("assertion"), 24*time.Hour),
		os.WriteFile(s.file("salt"), []byte(salt), 0o600),
		os.WriteFile(s.file("key"), []byte(key), 0o600),
	)
}

// startUpstream makes the pages and starts what serves them.
func (s *site) startUpstream(names []pageName) error {
	codec, err := pseudonym.New(pseudonym.Config{Salt: salt, Key: key})
	if err != nil {
		return err
	}
	made, err := newPages(s.folder, codec)
	if err != nil {
		return err
	}
	for _, name := range names {
		p, err := made.make(name)
		if err != nil {
			return err
		}
		s.pages = append(s.pages, p)
	}
	pair, err := s.tenant.CA.Issue(envoy.DefaultHost)
	if err != nil {
		return err
	}
	c := upstreamConfig{Documents: made.documents}
	if c.CertFile, c.KeyFile, err = tenant.WritePair(s.folder, "upstream", pair); err != nil {
		return err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.file(upstreamFile), text, 0o600); err != nil {
		return err
	}
	s.upstream, s.address, err = startChild("upstream", s.folder)
	return err
}

// page is one that the site was made with.
func (s *site) page(name pageName) *page {
	return s.pages[slices.IndexFunc(s.pages, func(p *page) bool { return p.name == name })]
}

// close ends what the site started, and removes its files.
func (s *site) close() error {
	var err error
	if s.upstream != nil {
		err = s.upstream.stop()
	}
	if s.tenant != nil {
		s.tenant.Close()
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}

// serveConfig is the configuration that an operator would write.
func (s *site) serveConfig(socket string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pseudonyms:\n  salt_file: %s\n  key_file: %s\n", s.file("salt"), s.file("key"))
	fmt.Fprintf(&b, "tokens:\n  tenant: %s\n  authority: %s\n  ca_file: %s\n  skip_instance_discovery: true\n  credential: {file: {path: %s}}\n  connectors:\n", s.tenant.ID(), s.tenant.Authority(), s.caFile, s.file("assertion"))
	for name, id := range s.applications {
		fmt.Fprintf(&b, "    %s:\n      client_id: %s\n", name, id)
	}
	fmt.Fprintf(&b, "processor:\n  listen: %s\n  admin: 127.0.0.1:0\n", socket)
	return b.String()
}
