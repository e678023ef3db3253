package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/policy"
)

// demoFlags size and shape the demo.
type demoFlags struct {
	check, json     bool
	users, messages int
	listen          string
	options         map[string]string
}

func newDemo() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run everything against a synthetic tenant, and print what to try",
		Long: `Make certificates and keys, start a synthetic Microsoft 365 tenant (Graph and
Entra, on loopback), the processor and Envoy, print curl lines that show
original and sanitized data, and stay until interrupted.

Nothing leaves this machine, and everything is gone afterwards.`,
		Example: `  graphveil demo
  graphveil demo --check
  graphveil demo --json --users 2000 --messages 50000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), f, os.Stdout) },
	}
	c.Flags().BoolVar(&f.check, "check", false, "run the requests itself, report, and exit non-zero if anything is off")
	c.Flags().BoolVar(&f.json, "json", false, "when ready, print one JSON line with URLs and file paths, for scripts")
	c.Flags().IntVar(&f.users, "users", 250, "`number` of users in the tenant")
	c.Flags().IntVar(&f.messages, "messages", 25_000, "`number` of sent messages in the tenant, spread over its users")
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:0", "`address` of the proxy; port 0 takes a free one")
	c.Flags().StringToStringVar(&f.options, "set", nil, "set a policy `option=value`; repeatable")
	return c
}

func demo(ctx context.Context, f demoFlags, out io.Writer) error {
	if f.users < 1 || f.messages < 0 {
		return &exitError{exitUsage, fmt.Errorf("--users must be at least 1 and --messages at least 0")}
	}
	progress := out
	if f.json {
		progress = io.Discard
	}
	d, err := startDemo(ctx, f, progress)
	if err != nil {
		return fmt.Errorf("starting the demo: %w", err)
	}
	defer d.stop()
	switch {
	case f.check:
		return d.check(ctx, out)
	case f.json:
		err = json.NewEncoder(out).Encode(map[string]string{
			"proxy": d.sidecar.url(), "ca": d.caFile, "tenant": d.tenant.GraphURL(), "metrics": d.sidecar.adminURL + "/metrics",
			"envoy_admin": d.sidecar.current.Load().Admin(),
		})
	default:
		err = d.print(ctx, out)
	}
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.sidecar.failed:
		return err
	}
}

// demonstration is a running demo.
type demonstration struct {
	users      int
	connectors []string // sorted
	tenant     *tenant.Tenant
	sidecar    *sidecar
	folder     string
	caFile     string
	tokenFile  string
	logFile    string
	cancel     context.CancelFunc
	log        *os.File
}

// startDemo starts everything and returns when the first request can be served.
func startDemo(ctx context.Context, f demoFlags, progress io.Writer) (_ *demonstration, err error) {
	d := &demonstration{users: f.users}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.cancel = cancel
	defer func() {
		if err != nil {
			d.stop()
		}
	}()
	if d.folder, err = os.MkdirTemp("", "graphveil-demo-"); err != nil {
		return nil, err
	}
	d.caFile, d.tokenFile = filepath.Join(d.folder, "ca.pem"), filepath.Join(d.folder, "authorization")
	d.logFile = filepath.Join(d.folder, "graphveil.log")
	if d.log, err = os.OpenFile(d.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}

	fmt.Fprintf(progress, "Starting a synthetic tenant: %d users, %d sent messages.\n", f.users, f.messages)
	apps, err := d.startTenant(run, f)
	if err != nil {
		return nil, err
	}
	config, err := d.config(f, apps)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "Starting the processor and Envoy.")
	log := slog.New(slog.NewJSONHandler(d.log, nil))
	if d.sidecar, err = startSidecar(ctx, config, log, d.log, d.log); err != nil {
		return nil, err
	}
	return d, d.waitReady(ctx)
}

// startTenant starts the tenant with one application per connector of the
// policy, and returns their client ids by connector.
func (d *demonstration) startTenant(ctx context.Context, f demoFlags) (map[string]string, error) {
	snapshot, err := policy.Load(ctx, policy.Config{Settings: f.options})
	if err != nil {
		return nil, err
	}
	apps := map[string]string{}
	config := tenant.Config{Graph: graph.Config{
		Seed: 1, Users: f.users, Messages: (f.messages + f.users - 1) / f.users, BaseURL: "https://" + envoy.DefaultHost,
	}}
	all := map[string]bool{}
	for _, c := range snapshot.Connectors() {
		d.connectors = append(d.connectors, c.Name)
		apps[c.Name] = uuid.NewString()
		config.Apps = append(config.Apps, entra.App{ClientID: apps[c.Name], Roles: c.Permissions})
		for _, permission := range c.Permissions {
			all[permission] = true
		}
	}
	slices.Sort(d.connectors)
	// What workloads hold without a sidecar: a token for everything.
	direct := entra.App{ClientID: uuid.NewString()}
	for permission := range all {
		direct.Roles = append(direct.Roles, permission)
	}
	config.Apps = append(config.Apps, direct)
	if d.tenant, err = tenant.Start(ctx, config); err != nil {
		return nil, err
	}
	if err := d.tenant.CA.Write(d.caFile); err != nil {
		return nil, err
	}
	token, err := d.tenant.Token(direct.ClientID)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(d.tokenFile, []byte("Authorization: Bearer "+token+"\n"), 0o600); err != nil {
		return nil, err
	}
	return apps, d.keepAssertion(ctx)
}

func (d *demonstration) assertionFile() string { return filepath.Join(d.folder, "assertion") }

// keepAssertion writes the workload's projected token and renews it, as a
// kubelet does.
func (d *demonstration) keepAssertion(ctx context.Context) error {
	const lifetime = time.Hour
	go func() {
		tick := time.NewTicker(lifetime / 2)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := d.tenant.WriteAssertion(d.assertionFile(), lifetime); err != nil {
					fmt.Fprintln(d.log, "renewing the assertion:", err)
				}
			}
		}
	}()
	return d.tenant.WriteAssertion(d.assertionFile(), lifetime)
}

// config is the configuration that an operator would write.
func (d *demonstration) config(f demoFlags, apps map[string]string) (*Config, error) {
	pair, err := d.tenant.CA.Issue("localhost", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	certFile, keyFile, err := tenant.WritePair(d.folder, "proxy", pair)
	if err != nil {
		return nil, err
	}
	c := &Config{
		Policy: PolicyConfig{Options: f.options},
		Tokens: auth.Config{
			Tenant: d.tenant.ID(), Authority: d.tenant.Authority(), CAFile: d.caFile, SkipInstanceDiscovery: true,
			Credential: auth.Credential{File: &auth.File{Path: d.assertionFile()}},
			Connectors: map[string]auth.Connector{},
		},
		Processor: ProcessorConfig{Listen: filepath.Join(d.folder, "processor.sock"), Admin: "127.0.0.1:0", DrainTimeout: 5 * time.Second},
		Envoy: envoy.Config{
			Listen:   f.listen,
			TLS:      envoy.TLS{CertFile: certFile, KeyFile: keyFile},
			Upstream: envoy.Upstream{Address: d.tenant.GraphAddr, CAFile: d.caFile},
			Workers:  2,
		},
	}
	for name, id := range apps {
		c.Tokens.Connectors[name] = auth.Connector{ClientID: id}
	}
	if c.Pseudonyms.SaltFile, err = d.randomFile("salt"); err != nil {
		return nil, err
	}
	if c.Pseudonyms.KeyFile, err = d.randomFile("key"); err != nil {
		return nil, err
	}
	c.setDefaults()
	return c, nil
}

func (d *demonstration) randomFile(name string) (string, error) {
	bytes := make([]byte, 32)
	rand.Read(bytes) // never fails, see crypto/rand
	file := filepath.Join(d.folder, name)
	return file, os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(bytes)), 0o600)
}

// waitReady waits for the first tokens.
func (d *demonstration) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case <-d.sidecar.tokens.First():
		return nil
	case err := <-d.sidecar.failed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the first tokens: %w", d.sidecar.ready())
	}
}

// stop ends everything and removes what was written.
func (d *demonstration) stop() {
	if d.sidecar != nil {
		d.sidecar.stop()
	}
	if d.tenant != nil {
		d.tenant.Close()
	}
	d.cancel()
	if d.log != nil {
		d.log.Close()
	}
	os.RemoveAll(d.folder)
}
